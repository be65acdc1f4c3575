"""How the whole queue stands: for each portal its relay, its counts, and why its mail waits.

It is read from what is stored, so it is right whichever process delivers, and by pages of rows,
whosever they are: a thousand portals take no more questions than one.
"""

from datetime import datetime

import msgspec

from smarthost.app.parts import Parts
from smarthost.cli.message_values import failure_of_hold
from smarthost.clock import moment
from smarthost.explanations.relay_shown import relay_shown
from smarthost.mail_queue.holds.model import Hold
from smarthost.mail_queue.model import State
from smarthost.mail_queue.overview.store import Overview, Standing
from smarthost.relay_health.health import failure_of
from smarthost.smtp_settings.model import Revision, SmtpSettings
from smarthost.smtp_settings.overview.store import InForce, in_force
from smarthost.web.failure_dto import FailureDto, failure_dto

_WAITING = (State.QUEUED, State.SENDING, State.HELD)


class HoldRow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Why all mail of a portal waits."""

    since: datetime
    next_try_at: datetime
    failures: int
    """Tries that failed, the first one included."""
    failure: FailureDto


class QueueRow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How the mail of one portal stands; the unit is one recipient of one message."""

    portal: str
    relay: str | None
    """`host:port`; None: there is none."""
    default_relay: bool
    recipients: dict[State, int]
    """Ended ones too, as long as they are kept."""
    scheduled: int
    """Of the queued ones those that wait for the moment that their sender chose."""
    restored: int
    """Of the held ones those that come out of a back-up."""
    oldest_queued_at: datetime | None
    """When the oldest message was accepted that waits for nothing but its relay."""
    last_sent_at: datetime | None
    hold: HoldRow | None
    suspended_at: datetime | None
    """Since when nothing is sent, since the operator has suspended the portal."""

    @property
    def waiting(self) -> int:
        """How many recipients have not ended."""
        return sum(self.recipients[state] for state in _WAITING)


async def queue_value(parts: Parts) -> list[QueueRow]:
    """Return the portals that have mail, or a relay that takes none, most of it first."""
    standings = await Overview(parts.database).standings(parts.clock.now())
    if not standings:
        return []
    of_all = in_force(parts.database, first=min(standings), last=max(standings))
    rows = [
        await _row(parts, one, standing)
        async for one in of_all
        if (standing := standings.get(one.revision.portal_id)) is not None
    ]
    return sorted(rows, key=lambda row: (-row.waiting, row.portal))


async def _row(parts: Parts, one: InForce, standing: Standing) -> QueueRow:
    own, hold = one.revision.settings, standing.hold
    return QueueRow(
        portal=one.portal_name,
        relay=_relay(own or parts.default_relay),
        default_relay=own is None and parts.default_relay is not None,
        recipients=standing.recipients,
        scheduled=standing.scheduled,
        restored=standing.restored,
        oldest_queued_at=_moment(standing.oldest_queued_at),
        last_sent_at=_moment(standing.last_sent_at),
        hold=None if hold is None else await _hold(parts, hold, one.revision),
        suspended_at=_moment(one.suspended_at),
    )


async def _hold(parts: Parts, hold: Hold, current: Revision) -> HoldRow:
    # A hold ends with the settings that it is of: other ones were saved this moment.
    is_of_these = hold.revision == current.number
    failure = (
        failure_of(hold, relay_shown(current, parts.default_relay))
        if is_of_these
        else await failure_of_hold(parts, hold)
    )
    return HoldRow(
        since=moment(hold.since),
        next_try_at=moment(hold.probe_at),
        failures=hold.failures,
        failure=failure_dto(failure),
    )


def _relay(settings: SmtpSettings | None) -> str | None:
    if settings is None:
        return None
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{host}:{settings.port}"


def _moment(at: int | None) -> datetime | None:
    return None if at is None else moment(at)
