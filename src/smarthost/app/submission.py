"""Puts the SMTP entrance together from the parts of an installation."""

import contextlib
import socket
from collections.abc import Iterator

import msgspec

from smarthost.app.parts import Parts
from smarthost.app.relays import own_address_literal
from smarthost.app.roles import Role, Roles
from smarthost.config import Config, ListenAddress
from smarthost.submission.acceptance import Acceptance
from smarthost.submission.bad_logins import BadLogins
from smarthost.submission.conversation import Certificate, House
from smarthost.submission.limits import Limits
from smarthost.submission.listener import Door, Listener
from smarthost.submission.login import Logins
from smarthost.tally import Tallies, own_tallies
from smarthost.web.pages.snippets import SubmissionDoor, Tls
from smarthost.web.server import ListenError, bind


class Doors(msgspec.Struct, frozen=True, kw_only=True):
    """The sockets that were bound, None where there is none."""

    clear: socket.socket | None
    """Where TLS begins with STARTTLS, if at all."""
    tls: socket.socket | None

    def open_ones(self) -> list[Door]:
        """Return those that there are."""
        both = ((self.clear, False), (self.tls, True))
        return [Door(socket=one, implicit_tls=tls) for one, tls in both if one is not None]


@contextlib.contextmanager
def bound(config: Config, roles: Roles) -> Iterator[Doors]:
    """Bind the addresses for submission, and close them at the end. Raises `ListenError`.

    Nothing is bound where submission is none of the `roles`.
    """
    with contextlib.ExitStack() as stack:
        if Role.SUBMISSION not in roles:
            yield Doors(clear=None, tls=None)
            return
        clear = _bind(config.submission_listen, "SUBMISSION_LISTEN", stack)
        tls = _bind(config.submission_tls_listen, "SUBMISSION_TLS_LISTEN", stack)
        yield Doors(clear=clear, tls=tls)


def make_listener(
    config: Config,
    parts: Parts,
    certificate: Certificate,
    limits: Limits | None = None,
    tallies: Tallies = own_tallies,
) -> Listener:
    """Return what serves submission; `certificate` gives what TLS is spoken with."""
    limits = limits or Limits()
    clock = parts.clock
    host = config.helo_name or own_address_literal()
    bad_logins = BadLogins(
        clock,
        tallies("bad logins"),
        limits.bad_logins_a_minute,
        enforced=config.rate_limits,
    )
    logins = Logins(parts.keys, parts.portals, parts.last_use, bad_logins, clock)
    return Listener(
        House(
            host=host,
            logins=logins,
            acceptance=Acceptance(
                logins, parts.sending, parts.delivery.smtp_intake, host, limits, clock
            ),
            certificate=certificate,
            proxies=config.submission_proxy_networks,
            limits=limits,
            metrics=parts.metrics.submission,
            clock=clock,
        )
    )


def place_of(listen: ListenAddress | None, bound_to: socket.socket | None) -> str | None:
    """Return where a program on this machine reaches a socket, as `host:port`."""
    if listen is None or bound_to is None:
        return None
    host = listen.reached_at
    port = _port(bound_to)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def door_shown(config: Config, doors: Doors) -> SubmissionDoor | None:
    """Return where the pages say that programs submit; None: nowhere.

    TLS from the first octet goes before STARTTLS (RFC 8314 section 3.3). A login in clear is taken
    on this machine alone, by whatever name the pages are reached.
    """
    if doors.tls is not None:
        return SubmissionDoor(host=None, port=_port(doors.tls), tls=Tls.IMPLICIT)
    if doors.clear is None or config.submission_listen is None:
        return None
    port = _port(doors.clear)
    if config.tls is not None:
        return SubmissionDoor(host=None, port=port, tls=Tls.STARTTLS)
    return SubmissionDoor(host=config.submission_listen.reached_at, port=port, tls=Tls.NONE)


def _port(bound_to: socket.socket) -> int:
    port: int = bound_to.getsockname()[1]
    return port


def _bind(
    listen: ListenAddress | None, name: str, stack: contextlib.ExitStack
) -> socket.socket | None:
    if listen is None:
        return None
    try:
        return stack.enter_context(contextlib.closing(bind(listen.host, listen.port)))
    except ListenError as error:
        raise ListenError(f"{error} SMARTHOST_{name} names it; empty is none.") from error
