"""The values of the queue: what was accepted, what a worker holds, what an attempt came to.

The unit of work is one recipient of one message. A message and its bytes never change after they
were accepted; attempts are only added; the recipient's row alone has a state.
"""

from enum import StrEnum

import msgspec

from smarthost.delivery.outcome import Code, Result, Step


class Kind(StrEnum):
    """What sort of message it is."""

    TEST = "test"
    """The administrator's proof: tried once, first, and only through the revision it names."""
    MAIL = "mail"
    NOTICE = "notice"
    """The installation's own word to a portal's administrators, through the default relay."""


class State(StrEnum):
    """Where a recipient stands."""

    QUEUED = "queued"
    SENDING = "sending"
    """A worker holds it, until its lease ends."""
    SENT = "sent"
    """The relay has it and answers for it."""
    FAILED = "failed"
    EXPIRED = "expired"
    """Its time was over before the relay took it."""
    CANCELLED = "cancelled"
    HELD = "held"
    """Waits for a person to release it."""


class HeldFor(StrEnum):
    """Why a person has to release a recipient."""

    IN_DOUBT = "in_doubt"
    """It may have arrived, and must not arrive twice."""
    WORKER_DEATHS = "worker_deaths"
    """The worker has died of it, or over it, time and again."""
    RESTORED = "restored"
    """It comes out of a back-up, and may have been sent since."""


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """One recipient that a worker holds."""

    address: str
    attempt: int
    """Which try of this recipient it is, from 1; counted before anything is sent."""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """The due recipients of one message, held by one worker for one attempt.

    Several messages that were taken together have claims of one id.
    """

    id: str
    """The fencing token: a write that names another claim than the row's changes nothing."""
    portal_id: str
    message_id: str
    kind: Kind
    revision: int | None
    """The settings' revision that a test is bound to; None for anything else."""
    accepted_at: int
    """Microseconds since 1970, UTC, as all times."""
    ages_from: int
    """From when its age counts: since then it was accepted, and its portal not suspended."""
    wanted_at: int
    """From when its sender wanted it sent: the moment that they chose, or its acceptance."""
    expires_at: int | None
    """After this moment it is of no use to anybody; None: there is no such moment."""
    at_most_once: bool
    """Rather not at all than twice."""
    started_at: int
    recipients: tuple[Claimed, ...]
    probe: bool
    """The one message that tries a relay that is on hold."""


class Attempted(msgspec.Struct, frozen=True, kw_only=True):
    """What one attempt came to for one recipient, as it is stored."""

    address: str
    attempt: int
    started_at: int
    """Microseconds since 1970, UTC."""
    microseconds: int | None
    """How long it took; None where the worker died."""
    result: Result
    step: Step
    """The last step reached."""
    code: Code | None = None
    """None exactly when accepted."""
    permanent: bool = False
    in_doubt: bool = False
    """The message may have arrived all the same."""
    reply: str | None = None
    """The relay's, cleaned."""
    revision: int | None = None
    """Of the settings; None where they were not read, or the worker of a mail died."""
    relay_host: str | None = None
    relay_port: int | None = None
    default_relay: bool | None = None
    """Whether it was the operator's own relay; None where none was read or the worker died."""
    relay_address: str | None = None
    """The IP address that was connected to."""
    tls: str | None = None
    """`TLSv1.2`, `TLSv1.3`; None: no TLS."""
    warnings: tuple[Code, ...] = ()
    relayed_untold: bool = False
    """As in `Outcome`; for the moment of recording alone, and never stored."""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """Where a recipient stands after an attempt, or once its time was over."""

    address: str
    attempts: int
    """How many were begun."""
    state: State
    code: Code | None
    """Why the attempt failed; None: it did not, or there was none."""
    relayed_untold: bool = False
    """It was sent, and nobody but us tells of that a sender who asked (see `Outcome`)."""


class LastTest(msgspec.Struct, frozen=True, kw_only=True):
    """The portal's last test message, whether it has ended or not."""

    message_id: str
    accepted_at: int
    """Microseconds since 1970, UTC."""
    revision: int
    recipient: str
    state: State
    step: Step | None
    """The last step recorded, at most a quarter of a second old while it is sent."""
    attempt: Attempted | None
    """None as long as no attempt has ended."""


class BrokenOffError(Exception):
    """The attempt ends here for a reason that is not the relay's."""

    def __init__(self, code: Code, revision: int | None = None) -> None:
        """`revision` is that of the settings in force, where they are the reason."""
        super().__init__(code.value)
        self.code = code
        self.revision = revision
