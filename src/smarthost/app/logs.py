"""Structured logs on standard error: JSON for machines, or coloured lines for a terminal.

Everything goes through one chain, the libraries' own loggers included (warnings and worse), and
its last step but one takes out what looks like a credential: a second wall behind `Secret`.
"""

import logging
import re
import sys
from typing import Literal

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_LEVELS = logging.getLevelNamesMapping()
# API keys, sessions, sign-in links, the secrets of webhooks, and JWTs, whose first part is JSON in
# base64.
_TOKEN = re.compile(
    r"\b(?:s[hsl]_[0-9a-f]{8}-[0-9a-f-]{27}_[\w-]{43}|whsec_[\w+/=]+|eyJ[\w-]+\.[\w.-]+)"
)
_MARKS = ("sh_", "ss_", "sl_", "whsec_", "eyJ")
_SECRET_NAMES = ("password", "secret", "token", "authorization", "cookie")
_REDACTED = "[redacted]"

_encode = msgspec.json.Encoder(enc_hook=repr).encode


def configure_logs(format_: Literal["console", "json"], level: str) -> None:
    """Send all logs of this process to standard error, from `level` on."""
    renderer: Processor = _render_json
    if format_ == "console":
        # The default formatter prints local variables, and a request's body is one.
        renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    shared: list[Processor] = [
        structlog.processors.format_exc_info,  # before `redact`, which reads text alone
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *shared,
                renderer,
            ]
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace what is named like a secret, and tokens wherever they stand."""
    for name, value in event.items():
        if name.lower().endswith(_SECRET_NAMES):
            event[name] = _REDACTED
        elif isinstance(value, str) and any(mark in value for mark in _MARKS):
            event[name] = _TOKEN.sub(_REDACTED, value)
    return event


def _render_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return _encode(event).decode()
