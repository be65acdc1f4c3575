"""A courier and a worker, put together as the service does it."""

from collections.abc import Callable
from typing import NamedTuple

from smarthost.clock import Clock
from smarthost.database.engine import Database
from smarthost.ids import Ids
from smarthost.mail_queue.courier import Courier
from smarthost.mail_queue.holds.store import HoldStore
from smarthost.mail_queue.jumps import Jumps
from smarthost.mail_queue.leases.store import LeaseStore
from smarthost.mail_queue.load import Limits
from smarthost.mail_queue.lock import Lock
from smarthost.mail_queue.model import Kind
from smarthost.mail_queue.nodes.membership import Membership
from smarthost.mail_queue.pace import LimitsOf, Pace
from smarthost.mail_queue.recovery import Recovery
from smarthost.mail_queue.store import QueueStore
from smarthost.mail_queue.trip import Attempt, RelayOf
from smarthost.mail_queue.worker import Worker


class Delivering(NamedTuple):
    """All that delivers."""

    store: QueueStore
    holds: HoldStore
    pace: Pace
    courier: Courier
    recovery: Recovery


def delivering(
    database: Database,
    clock: Clock,
    relay_of: RelayOf,
    attempt: Attempt,
    *,
    notice_relay_of: RelayOf | None = None,
    limits_of: LimitsOf = lambda _host: Limits(),
    luck: Callable[[], float] = lambda: 0.5,
    member: Membership | None = None,
) -> Delivering:
    jumps = Jumps(clock)
    node = None if member is None else member.name
    store = QueueStore(database, clock, Ids(clock), luck=luck, jumps=jumps, node=node)
    holds = HoldStore(database, clock)
    pace = Pace(limits_of) if member is None else Pace(limits_of, member.count)
    courier = Courier(
        store=store,
        holds=holds,
        relays={
            Kind.TEST: relay_of,
            Kind.MAIL: relay_of,
            Kind.NOTICE: notice_relay_of or relay_of,
        },
        attempt=attempt,
        pace=pace,
        clock=clock,
        luck=luck,
        ended=lambda *_: None,
    )
    is_first = None if member is None else member.is_first
    recovery = Recovery(LeaseStore(database, clock), holds, jumps, is_first)
    return Delivering(store, holds, pace, courier, recovery)


def worker_of(parts: Delivering, lock: Lock, clock: Clock, stop_seconds: float = 5.0) -> Worker:
    return Worker(
        store=parts.store,
        courier=parts.courier,
        recovery=parts.recovery,
        pace=parts.pace,
        lock=lock,
        clock=clock,
        stop_seconds=stop_seconds,
    )
