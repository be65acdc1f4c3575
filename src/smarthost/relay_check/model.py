"""The values of the test: how far it is, and why it is not begun."""

import msgspec


class TrialState(msgspec.Struct, frozen=True, kw_only=True):
    """How far a test message is, in the contract's words."""

    id: str
    completed: bool
    percents: int
    """0 to 100; 100 exactly when the relay has the message."""
    status: str
    """The name of the stage that it is in, or ended in."""
    error: str = ""
    """Why it failed, in plain words; empty as long as it has not."""


class WithoutRelay(msgspec.Struct, frozen=True, kw_only=True):
    """A test that ended before it began, since no relay was in force."""

    id: str
    at: int
    """Microseconds since 1970, UTC."""


class RelayCheckError(Exception):
    """Base of what this room refuses; the message is plain words for whoever asked."""


class TooManyTestsError(RelayCheckError):
    """A user has asked for as many tests as one may; nothing was begun."""

    def __init__(self, *, most: int, minutes: int, until: int) -> None:
        """`until`: when the next one is allowed, in microseconds since 1970, UTC."""
        super().__init__(
            f"Too many test messages: at most {most} in {minutes} minutes. Wait and try again."
        )
        self.until = until
