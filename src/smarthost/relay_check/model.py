"""The values of the test and the check: how far each is, what it came to, why it is not begun."""

from collections.abc import Mapping

import msgspec

from smarthost.delivery.outcome import Step, StepState
from smarthost.explanations.failure import Failure


class TrialState(msgspec.Struct, frozen=True, kw_only=True):
    """How far a test message is, in the contract's words."""

    id: str
    completed: bool
    percents: int
    """0 to 100; 100 exactly when the relay has the message."""
    status: str
    """The name of the stage that it is in, or ended in."""
    step: Step | None = None
    """The step that it is in, as far as that is recorded; None when it has ended."""
    failure: Failure | None = None
    """Why it failed; None as long as it has not."""
    revision: int | None = None
    """Of the portal's settings that it is for; None: no relay was in force."""

    @property
    def error(self) -> str:
        """Why it failed, as one plain text; empty as long as it has not."""
        return "" if self.failure is None else self.failure.text


class WithoutRelay(msgspec.Struct, frozen=True, kw_only=True):
    """A test that ended before it began, since no relay was in force."""

    id: str
    at: int
    """Microseconds since 1970, UTC."""


class StepTold(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a check, as it begins or ends."""

    step: Step
    state: StepState
    milliseconds: float | None
    """How long it took, to one decimal; None as it begins."""
    seen: Mapping[str, object]
    """What it saw, as values that JSON knows; empty as it begins."""


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a check came to."""

    ok: bool
    """True exactly when there is no failure; warnings alone leave it true."""
    steps: tuple[StepTold, ...]
    """Each run of a step once, as it ended, in the order in which it happened; then those that
    were not reached, as skipped in no time, in the order of the vocabulary."""
    failure: Failure | None
    warnings: tuple[Failure, ...]
    saved: bool
    """The settings that were typed are in force now."""
    revision: int | None
    """Of what was saved, or of the stored settings that were checked; None: typed and not
    saved."""
    ends_oauth2: bool = False
    """What was saved has a login that is none by OAuth2 any more."""


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


class NothingToCheckError(RelayCheckError):
    """The stored settings were to be checked, and the portal has none that it may read about."""

    def __init__(self) -> None:
        super().__init__(
            "There is nothing to check: the portal has no settings of its own. "
            "Enter a mail server and check that."
        )
