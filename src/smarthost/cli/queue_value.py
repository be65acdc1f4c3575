"""How the whole queue stands: for each portal its relay, its counts, and why its mail waits.

It is read row by row from what is stored, so it is right whichever process delivers.
"""

from datetime import datetime

import msgspec

from smarthost.app.parts import Parts
from smarthost.cli.message_values import failure_of_hold, hold_of
from smarthost.clock import moment
from smarthost.mail_queue.holds.model import Hold
from smarthost.mail_queue.model import State
from smarthost.portals.model import Portal
from smarthost.smtp_settings.model import SmtpSettings
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
    rows = [await _row(parts, portal) for portal in await parts.portals.portals()]
    shown = [row for row in rows if row.hold is not None or any(row.recipients.values())]
    return sorted(shown, key=lambda row: (-row.waiting, row.portal))


async def _row(parts: Parts, portal: Portal) -> QueueRow:
    messages = parts.delivery.messages
    counts = await messages.counts(portal.id)
    hold = await hold_of(parts, portal.id)
    own = (await parts.settings.current(portal.id)).settings
    return QueueRow(
        portal=portal.name,
        relay=_relay(own or parts.default_relay),
        default_relay=own is None and parts.default_relay is not None,
        recipients=dict(await messages.queue_counts(portal.id)),
        scheduled=counts.scheduled,
        restored=await messages.restored(portal.id),
        oldest_queued_at=_moment(counts.oldest_queued_at),
        last_sent_at=_moment(counts.last_sent_at),
        hold=None if hold is None else await _hold(parts, hold),
        suspended_at=_moment(portal.suspended_at),
    )


async def _hold(parts: Parts, hold: Hold) -> HoldRow:
    return HoldRow(
        since=moment(hold.since),
        next_try_at=moment(hold.probe_at),
        failures=hold.failures,
        failure=failure_dto(await failure_of_hold(parts, hold)),
    )


def _relay(settings: SmtpSettings | None) -> str | None:
    if settings is None:
        return None
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{host}:{settings.port}"


def _moment(at: int | None) -> datetime | None:
    return None if at is None else moment(at)
