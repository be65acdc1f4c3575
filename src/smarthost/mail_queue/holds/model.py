"""When a portal waits for its relay, and when that is tried again: rules without any row.

A fault before the message comes into play says nothing about that message and everything about
the relay or the settings: all of the portal's mail waits then, and one message at a time probes.
"""

import msgspec

from smarthost.clock import MICROSECONDS
from smarthost.delivery.outcome import Code, Result, Step
from smarthost.mail_queue.model import Attempted, Claim

SETTINGS_SECONDS = 15 * 60.0
"""Between two probes where only a change helps: a login that is refused again and again gets the
account locked."""

RELAY_SECONDS = 60.0
"""Before the second probe of a relay that is away; then twice as long each time."""

LONGEST_RELAY_SECONDS = 5 * 60.0

_STEPS = tuple(Step)
_OF_THE_SESSION = frozenset({Code.LOGIN_REFUSED, Code.LOGIN_REQUIRED, Code.TLS_REQUIRED})
_OUR_OWN = frozenset({Code.INTERRUPTED, Code.INTERNAL, Code.SETTINGS_CHANGED})
_PASSING = frozenset(
    {
        Code.RELAY_UNAVAILABLE,
        Code.TIMED_OUT,
        Code.CONNECTION_REFUSED,
        Code.CONNECTION_CLOSED,
        Code.TEMPORARILY_REFUSED,
        Code.RATE_LIMITED,
    }
)


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """Why a portal's mail waits, and until when."""

    portal_id: str
    revision: int
    """Of the settings that failed; a newer one ends the hold."""
    default_relay: bool
    relay_host: str | None
    relay_port: int | None
    """None, as the host, where no relay is in force."""
    since: int
    """Microseconds since 1970, UTC, as all times."""
    step: Step
    """Of the failure that was met last, as are the code and what follows it."""
    code: Code
    permanent: bool
    reply: str | None
    tls: str | None
    failures: int
    """Tries that failed, the first one included."""
    tried_at: int
    probe_at: int
    """When one message may try again."""
    told_at: int | None
    """When the portal's administrators were written to."""


def reached_message(step: Step) -> bool:
    """Tell whether a session stood and was asked to take a message."""
    return _STEPS.index(step) >= _STEPS.index(Step.SENDER)


def fails_for_all(attempted: Attempted) -> bool:
    """Tell whether an attempt failed in a way that any other message would meet as well."""
    if attempted.result is not Result.DEFERRED or attempted.code in _OUR_OWN:
        return False
    if attempted.step is Step.SENDER and attempted.code in _OF_THE_SESSION:
        return True
    return not reached_message(attempted.step)


def lifts(attempted: Attempted) -> bool:
    """Tell whether an attempt proves that the relay takes mail with these settings.

    It does from its answer to MAIL on, but for one that puts off everybody.
    """
    return reached_message(attempted.step) and not (
        attempted.step is Step.SENDER and attempted.result is Result.DEFERRED
    )


def passes(attempted: Attempted) -> bool:
    """Tell whether a failure is one that a busy relay shows some of its connections."""
    return attempted.code in _PASSING


def after_failure(
    claim: Claim, failed: Attempted, before: Hold | None, now: int, luck: float
) -> Hold:
    """Return the hold that a failure puts a portal on, or what has become of the one `before`.

    What began before the last failure was met, and is no probe, says nothing new: of many
    connections that fail together one counts. `luck` is from 0 to 1.
    """
    revision = failed.revision or 0
    if before is not None and before.revision != revision:
        before = None
    if before is not None and not claim.probe and failed.started_at <= before.tried_at:
        return before
    failures = before.failures + 1 if before else 1
    return Hold(
        portal_id=claim.portal_id,
        revision=revision,
        default_relay=bool(failed.default_relay),
        relay_host=failed.relay_host,
        relay_port=failed.relay_port,
        since=before.since if before else now,
        step=failed.step,
        code=failed.code or Code.INTERNAL,
        permanent=failed.permanent,
        reply=failed.reply,
        tls=failed.tls,
        failures=failures,
        tried_at=now,
        probe_at=now + probe_wait(failures, luck, permanent=failed.permanent),
        told_at=before.told_at if before else None,
    )


def shared(
    other: Hold, portal_id: str, revision: int, mine: Hold | None, now: int, luck: float
) -> Hold:
    """Return the hold of a portal for which another has just tried the default relay.

    That other one probes. This one does so only if it comes to nothing, and not together with
    everybody else.
    """
    wait = probe_wait(other.failures, luck, permanent=other.permanent)
    return msgspec.structs.replace(
        other,
        portal_id=portal_id,
        revision=revision,
        since=mine.since if mine else now,
        probe_at=other.probe_at + round(wait * luck),
        told_at=mine.told_at if mine else None,
    )


def probe_wait(failures: int, luck: float, *, permanent: bool) -> int:
    """Return how many microseconds after so many failures the next probe is."""
    if permanent:
        seconds = SETTINGS_SECONDS
    else:
        seconds = min(RELAY_SECONDS * 2.0 ** min(failures - 1, 10), LONGEST_RELAY_SECONDS)
    return round(seconds * (0.75 + 0.25 * luck) * MICROSECONDS)
