"""The delivering side of an installation: the queue, its worker, and the connections to relays.

Every command that accepts or delivers is built from the same parts; whether this process delivers
is decided by the lock that the worker waits for. On PostgreSQL every node that serves delivers.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from smarthost.app.attempt_log import log_attempt
from smarthost.app.counting import count_attempts, count_call
from smarthost.app.nodes import Nodes, nodes
from smarthost.app.relays import Relays
from smarthost.app.telling import Queue, Stores, failure_notices, notices, webhook_delivery
from smarthost.clock import Clock
from smarthost.config import Config
from smarthost.database.engine import Database
from smarthost.delivery.attempt import attempt
from smarthost.delivery.outcome import Outcome, Report
from smarthost.delivery.pool import Pool
from smarthost.delivery.relay import RelaySettings
from smarthost.ids import Ids
from smarthost.mail.envelope import Envelope
from smarthost.mail_queue.accepted.store import MessageStore
from smarthost.mail_queue.arrivals.store import ArrivalStore
from smarthost.mail_queue.courier import Courier
from smarthost.mail_queue.holds.store import HoldStore
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.jumps import Jumps
from smarthost.mail_queue.leases.store import LeaseStore
from smarthost.mail_queue.load import Limits
from smarthost.mail_queue.lock import DeliveryLock, Lock
from smarthost.mail_queue.mail_log.log import MailLog
from smarthost.mail_queue.model import Attempted, Claim, Kind
from smarthost.mail_queue.pace import Pace
from smarthost.mail_queue.recovery import Recovery
from smarthost.mail_queue.retention import Keep, Retention
from smarthost.mail_queue.schedule import Patience
from smarthost.mail_queue.store import QueueStore
from smarthost.mail_queue.worker import Worker
from smarthost.metrics.mail import Entrance, MailMetrics
from smarthost.providers import Providers
from smarthost.smtp.egress import Policy, Resolver

_LOCK_FILE = "delivery.lock"
# How long a connection is kept for the next messages of the same portal.
_IDLE_SECONDS = 5.0


class _Place(NamedTuple):
    """Which part of all that is delivered is this process's."""

    lock: Lock
    pace: Pace
    is_first: Callable[[], bool] | None
    """Whether it comes first of several nodes; None: whoever has the lock delivers alone."""

    def is_ours(self) -> bool:
        """Tell whether this process does what one alone does."""
        return self.lock.is_held if self.is_first is None else self.is_first()


class Delivery:
    """Accepts messages and, from `run` to `stop`, hands them to relays."""

    def __init__(
        self,
        config: Config,
        database: Database,
        relays: Relays,
        stores: Stores,
        clock: Clock,
        ids: Ids,
        resolver: Resolver,
        metrics: MailMetrics,
    ) -> None:
        self._clock = clock
        self._metrics = metrics
        self._quiet = False
        leases = LeaseStore(database, clock, stores.note)
        self._nodes = None if config.database_url is None else nodes(database, leases, clock, ids)
        self._connections = Pool(
            policy=Policy(config.relay_networks),
            resolver=resolver,
            clock=clock,
            tokens=stores.access_tokens,
            idle_seconds=_IDLE_SECONDS,
        )
        jumps = Jumps(clock)
        self.queue = QueueStore(
            database,
            clock,
            ids,
            patience=Patience(
                retry_seconds=config.retry_seconds, expire_seconds=config.expire_seconds
            ),
            jumps=jumps,
            keeps_sent=config.keep_sent_seconds > 0,
            in_each_record=stores.note,
            node=None if self._nodes is None else self._nodes.membership.name,
        )
        self.holds = HoldStore(database, clock)
        place = _place(config, self._nodes)
        recovery = Recovery(leases, self.holds, jumps, place.is_first)
        self._worker = self._worker_in(place, recovery, relays)
        self.messages = MessageStore(database, stores.audit, clock)
        self.mail_log = MailLog(database)
        self._wake_elsewhere: Callable[[], None] | None = None
        intake = partial(Intake, database, ArrivalStore(database, clock), ids, self._accepted)
        self.intake = intake(partial(metrics.accepted, Entrance.OWN))
        self.http_intake = intake(partial(metrics.accepted, Entrance.HTTP))
        self.smtp_intake = intake(partial(metrics.accepted, Entrance.SMTP))
        keep = Keep(sent=config.keep_sent_seconds, failed=config.keep_failed_seconds)
        is_ours = place.is_ours
        self._retention = Retention(database, keep, clock, is_ours)
        queue = Queue(holds=self.holds, messages=self.messages, intake=self.intake)
        self._notices = notices(config, stores, queue, clock, ids, is_ours)
        self._failure_notices = failure_notices(config, stores, queue, clock, ids, is_ours)
        self._webhooks = webhook_delivery(
            config, stores.webhook_events, resolver, clock, is_ours, partial(count_call, metrics)
        )

    def _worker_in(self, place: _Place, recovery: Recovery, relays: Relays) -> Worker:
        courier = Courier(
            store=self.queue,
            holds=self.holds,
            relays={
                Kind.TEST: relays.of,
                Kind.MAIL: relays.of,
                Kind.NOTICE: relays.default_of,
            },
            attempt=self._attempt,
            pace=place.pace,
            clock=self._clock,
            luck=random.random,
            ended=self._ended,
        )
        return Worker(
            store=self.queue,
            courier=courier,
            recovery=recovery,
            pace=place.pace,
            lock=place.lock,
            clock=self._clock,
        )

    async def run(self, *, quiet: bool = False) -> None:
        """Deliver until `stop`; the connections are closed when the worker has ended.

        `quiet` is for whoever follows a message at a terminal: attempts are left out of the log,
        and nothing is delivered while somebody else does.
        """
        self._quiet = quiet
        if self._nodes is not None:
            self._nodes.membership.helps_out = quiet
        calling = asyncio.create_task(self._webhooks.run())
        beside = {
            asyncio.create_task(self._retention.run()),
            asyncio.create_task(self._failure_notices.run()),
        }
        if self._nodes is not None:
            beside.add(asyncio.create_task(self._nodes.run()))
            beside.add(asyncio.create_task(self._nodes.hints.listen(self._worker.wake)))
        if self._notices is not None:
            beside.add(asyncio.create_task(self._notices.run()))
        try:
            await self._worker.run()
        finally:
            self._webhooks.stop()
            for task in beside:
                task.cancel()
            await asyncio.wait({calling, *beside})
            await self._connections.close()

    def stop(self) -> None:
        """Take nothing new, give attempts under way a few seconds, and let `run` return."""
        self._worker.stop()
        self._webhooks.stop()

    def wake(self) -> None:
        """Look for due messages now, if this process delivers."""
        self._worker.wake()

    def deliver_elsewhere(self, wake: Callable[[], None]) -> None:
        """Call `wake` for what is accepted here from now on: another process delivers it."""
        self._wake_elsewhere = wake

    def _accepted(self) -> None:
        (self._wake_elsewhere or self._worker.wake)()
        if self._nodes is not None:
            self._nodes.hints.tell()

    def _ended(
        self, claim: Claim, relay: RelaySettings | None, attempted: Sequence[Attempted]
    ) -> None:
        count_attempts(self._metrics, attempted)
        if not self._quiet:
            log_attempt(claim, relay, attempted)

    async def _attempt(
        self,
        settings: RelaySettings,
        envelopes: Sequence[Envelope],
        *,
        report: Report,
        deadline_seconds: float,
        fresh: bool,
    ) -> Sequence[Outcome]:
        return await attempt(
            settings,
            envelopes,
            connections=self._connections,
            clock=self._clock,
            report=report,
            fresh=fresh,
            deadline_seconds=deadline_seconds,
        )


def _place(config: Config, nodes: Nodes | None) -> _Place:
    if nodes is None:
        return _Place(file_lock(config), Pace(known_limits), None)
    member = nodes.membership
    return _Place(member, Pace(known_limits, member.count), member.is_first)


def file_lock(config: Config) -> DeliveryLock:
    """Return the lock of whoever delivers from the data directory's database, not taken yet."""
    return DeliveryLock(config.data_dir / _LOCK_FILE)


def known_limits(host: str) -> Limits:
    """Return what the provider of a relay is known to allow; ours for one that nobody knows."""
    provider = Providers.load().of_host(host)
    known = Limits()
    if provider is None:
        return known
    return Limits(
        connections=provider.limits.connections or known.connections,
        messages_a_minute=provider.limits.messages_a_minute,
    )
