"""What there is to write down behind an attempt, and what came of that."""

from collections.abc import Sequence

import msgspec

from smarthost.mail_queue.model import Attempted, Claim


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a failed attempt says beyond its message; all false for any other."""

    holds: bool = False
    """The portal waits for its relay."""
    crowded: bool = False
    """The relay has no room for this connection, while it takes mail over others."""

    @property
    def breaks_off(self) -> bool:
        """Whether what was claimed together with the message has to wait as well."""
        return self.holds or self.crowded


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt came to."""

    claim: Claim
    attempted: Sequence[Attempted]
    verdict: Verdict
    then: Claim | None
    """The message of the same claim that is begun now."""


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What came of writing an outcome down."""

    kept: bool
    """False if the claim was lost for one of the recipients: of that one nothing is written,
    since whoever ended the lease has written it."""
    lifted: bool = False
    """The portal was on hold, and is no more."""
