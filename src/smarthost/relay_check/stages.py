"""How far a test is, as the contract's percents and names, from what the queue has recorded.

The contract's first stages, and the making of the message, happen within the request that starts
a test; so a test that is read is at the making of its message or further on.
"""

from typing import NamedTuple

from smarthost.delivery.outcome import Step
from smarthost.delivery.relay import IMPLICIT_TLS_PORTS
from smarthost.smtp_settings.model import SmtpSettings


class Stage(NamedTuple):
    """One of the contract's stages."""

    percents: int
    status: str


SETUP = Stage(5, "Setup tenant")
MESSAGE = Stage(20, "Create mime message")
CONNECT = Stage(40, "Connect to host")
AUTHENTICATE = Stage(60, "Authenticate")
SEND = Stage(80, "Send test message")
DONE = Stage(100, SEND.status)

_OF_STEPS = {
    Step.RESOLVE: CONNECT,
    Step.CONNECT: CONNECT,
    Step.GREETING: CONNECT,
    Step.EHLO: CONNECT,
    Step.TLS: CONNECT,
    Step.AUTHENTICATE: AUTHENTICATE,
    Step.SENDER: SEND,
    Step.RECIPIENT: SEND,
    Step.DATA: SEND,
}


def stage_of(step: Step | None) -> Stage:
    """Return the stage of a step; None: no attempt has begun."""
    return MESSAGE if step is None else _OF_STEPS[step]


def path_of(relay: SmtpSettings) -> tuple[Step, ...]:
    """Return the steps that an attempt with these settings takes in any case, in their order."""
    tls = (Step.TLS,) if relay.enable_ssl else ()
    greeted = (Step.GREETING, Step.EHLO)
    opened = (*tls, *greeted) if relay.port in IMPLICIT_TLS_PORTS else (*greeted, *tls)
    login = (Step.AUTHENTICATE,) if relay.enable_auth else ()
    envelope = (Step.SENDER, Step.RECIPIENT)
    return (Step.RESOLVE, Step.CONNECT, *opened, *login, *envelope, Step.DATA)
