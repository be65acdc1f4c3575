import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog.testing
import trustme
from standardwebhooks import Webhook as Verifier

from smarthost.database.engine import Database
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.model import State
from smarthost.smtp.egress import Policy
from smarthost.webhooks.deliver import POLL_SECONDS, WebhookDelivery
from smarthost.webhooks.model import NotTaken, Webhook
from smarthost.webhooks.post import Poster
from smarthost.webhooks.schedule import KEPT_SECONDS
from smarthost.webhooks.store import WebhookStore
from smarthost.webhooks.waiting.store import WaitingEvents
from tests.authority import trusting
from tests.http_servers import (
    NO_CONTENT,
    OK,
    HttpServer,
    Received,
    http_server,
    say_nothing,
    status,
)
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.messages import BORIS
from tests.names import Names
from tests.processes import start_python
from tests.suspending import Suspending
from tests.webhooks.process import SOURCE
from tests.webhooks.told import BY, accept, ended, note

pytestmark = pytest.mark.one_engine

_PATIENCE = 20.0


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Deliveries that run, and what they need to have something to do."""

    database: Database
    store: WebhookStore
    waiting: WaitingEvents
    intake: Intake
    clock: HeldClock
    delivery: WebhookDelivery
    called: list[NotTaken | None]
    opened: list[Poster]
    ours: list[bool]

    async def set(self, portal: str, running: HttpServer) -> str:
        _, secret = await self.store.put(portal, running.url(), BY, renew_secret=False)
        assert secret is not None
        return secret.reveal()

    async def tell(self, portal: str, state: State = State.SENT) -> str:
        """Make an event, and return its message's id."""
        message = await accept(self.intake, self.clock, portal)
        await note(self.database, self.waiting, portal, message, ended(state))
        self.clock.advance(0.001)
        return message

    async def webhook(self, portal: str) -> Webhook:
        found = await self.store.of(portal)
        assert found is not None
        return found

    @asynccontextmanager
    async def delivering(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.delivery.run())
        try:
            yield
        finally:
            self.delivery.stop()
            await asyncio.wait_for(task, _PATIENCE)

    async def until(self, seen: Callable[[], bool], by: float = POLL_SECONDS) -> None:
        """Let time pass in steps of `by` seconds until it is so."""
        async with asyncio.timeout(_PATIENCE):
            while not seen():
                self.clock.advance(by)
                await asyncio.sleep(0.01)

    async def settled(self, portal: str) -> None:
        """Return when nothing waits for the receiver."""
        async with asyncio.timeout(_PATIENCE):
            while (await self.webhook(portal)).waiting_since is not None:
                self.clock.advance(POLL_SECONDS)
                await asyncio.sleep(0.01)


@pytest.fixture
def bench(
    database: Database,
    store: WebhookStore,
    waiting: WaitingEvents,
    intake: Intake,
    clock: HeldClock,
    authority: trustme.CA,
) -> Bench:
    opened: list[Poster] = []
    called: list[NotTaken | None] = []
    ours = [True]

    def open_post() -> Poster:
        opened.append(
            Poster(
                Policy("any"),
                Names(["127.0.0.1"]),
                lambda: trusting(authority),
                at_once=4,
                deadline_seconds=2.0,
            )
        )
        return opened[-1]

    return Bench(
        database=database,
        store=store,
        waiting=waiting,
        intake=intake,
        clock=clock,
        delivery=WebhookDelivery(
            waiting, open_post, clock, lambda: 0.5, lambda: ours[0], 0.1, called.append
        ),
        called=called,
        opened=opened,
        ours=ours,
    )


def event_ids(running: HttpServer) -> list[str]:
    return [one.headers["webhook-id"] for one in running.received]


def message_of(received: Received) -> Any:
    return msgspec.json.decode(received.body)["data"]["email_id"]


async def test_an_event_is_delivered_and_its_signature_holds(
    bench: Bench, portal: str, shown: ssl.SSLContext
) -> None:
    async with http_server(NO_CONTENT, tls=shown) as running, bench.delivering():
        secret = await bench.set(portal, running)
        message = await bench.tell(portal)
        await bench.settled(portal)
    assert bench.called == [None]
    (received,) = running.received
    # The library knows the machine's time alone; the test's has gone on by seconds.
    event = Verifier(secret).verify(received.body, received.headers)
    assert (event["type"], event["data"]["email_id"]) == ("email.sent", message)
    with pytest.raises(Exception, match="No matching signature"):
        Verifier(secret).verify(received.body + b" ", received.headers)


async def test_without_events_nothing_is_opened(bench: Bench, portal: str) -> None:
    async with bench.delivering():
        await asyncio.sleep(0.05)
    assert bench.opened == []


async def test_a_process_that_does_not_deliver_calls_nobody(
    bench: Bench, portal: str, shown: ssl.SSLContext
) -> None:
    bench.ours[0] = False
    async with http_server(tls=shown) as running, bench.delivering():
        await bench.set(portal, running)
        await bench.tell(portal)
        for _ in range(20):
            bench.clock.advance(POLL_SECONDS)
            await asyncio.sleep(0)
        assert running.received == []
        bench.ours[0] = True
        await bench.settled(portal)
    assert len(running.received) == 1


async def test_events_come_one_after_the_other_in_their_order(
    bench: Bench, portal: str, shown: ssl.SSLContext
) -> None:
    under_way = most = 0

    async def slowly(_request: Received, writer: asyncio.StreamWriter) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001)
        under_way -= 1
        writer.write(OK)

    async with http_server(slowly, tls=shown) as running:
        await bench.set(portal, running)
        messages = [await bench.tell(portal) for _ in range(50)]
        async with bench.delivering():
            await bench.settled(portal)
    assert [message_of(one) for one in running.received] == messages
    assert (most, running.connections) == (1, 1)


async def test_a_slow_receiver_holds_up_nobody_else(
    bench: Bench, portal: str, neighbour: str, shown: ssl.SSLContext
) -> None:
    async with http_server(say_nothing, tls=shown) as slow, http_server(tls=shown) as quick:
        await bench.set(portal, slow)
        await bench.set(neighbour, quick)
        await bench.tell(portal)
        for _ in range(5):
            await bench.tell(neighbour)
        async with bench.delivering():
            async with asyncio.timeout(1.5):  # before the slow one's time is over
                await bench.settled(neighbour)
        assert len(slow.received) == 1
    assert len(quick.received) == 5


@pytest.mark.parametrize("line", ["500 No", "404 No", "302 Found", "429 Slow"])
async def test_whatever_is_no_2xx_is_tried_again_with_the_same_octets(
    bench: Bench, portal: str, shown: ssl.SSLContext, line: str
) -> None:
    async with http_server(status(line), status(line), OK, tls=shown) as running:
        await bench.set(portal, running)
        await bench.tell(portal)
        async with bench.delivering():
            await bench.settled(portal)
    assert len(running.received) == 3
    assert len(set(event_ids(running))) == 1
    assert len({one.body for one in running.received}) == 1
    stamps = [int(one.headers["webhook-timestamp"]) for one in running.received]
    assert stamps == sorted(set(stamps))


async def test_410_switches_the_webhook_off(
    bench: Bench, portal: str, shown: ssl.SSLContext
) -> None:
    async with http_server(status("410 Gone"), tls=shown) as running, bench.delivering():
        await bench.set(portal, running)
        for _ in range(3):
            await bench.tell(portal)
        await bench.settled(portal)
    webhook = await bench.webhook(portal)
    assert webhook.switched_off_at is not None
    assert webhook.last_failure is not None
    assert (webhook.last_failure.failure, webhook.last_failure.status) == (
        NotTaken.GONE,
        410,
    )
    assert len(running.received) == 1
    assert bench.called == [NotTaken.GONE]


async def test_what_nobody_takes_for_a_day_is_given_up(
    bench: Bench, portal: str, shown: ssl.SSLContext
) -> None:
    async with http_server(status("503 Later"), tls=shown) as running:
        secret = await bench.set(portal, running)
        await bench.tell(portal)
        began = bench.clock.now()
        with structlog.testing.capture_logs() as logs:
            async with bench.delivering():
                while (await bench.webhook(portal)).dropped == 0:
                    bench.clock.advance(300.0)
                    await asyncio.sleep(0.005)
    hours = (bench.clock.now() - began) / 1e6 / 3600
    assert KEPT_SECONDS / 3600 <= hours < 30
    assert 15 < len(running.received) < 40
    (dropped,) = [one for one in logs if "given up" in one["event"]]
    assert (dropped["portal_id"], dropped["count"]) == (portal, 1)
    assert running.url() not in str(logs)
    assert secret not in str(logs)


async def test_a_secret_that_does_not_open_is_told_and_nothing_is_sent(
    bench: Bench, portal: str, shown: ssl.SSLContext
) -> None:
    async with http_server(tls=shown) as running:
        await bench.set(portal, running)
        await bench.tell(portal)

        async def spoil(tx: Any) -> None:
            await tx.execute("UPDATE webhooks SET sealed_secret = $1", b"\x01" * 60)

        await bench.database.transact(spoil)
        async with bench.delivering():
            while (await bench.webhook(portal)).last_failure is None:
                bench.clock.advance(POLL_SECONDS)
                await asyncio.sleep(0.01)
    failure = (await bench.webhook(portal)).last_failure
    assert failure is not None
    assert failure.failure is NotTaken.SECRET_UNREADABLE
    assert running.connections == 0


async def test_a_stop_breaks_off_what_hangs_and_keeps_it(
    bench: Bench, portal: str, shown: ssl.SSLContext
) -> None:
    async with http_server(say_nothing, OK, tls=shown) as running:
        await bench.set(portal, running)
        await bench.tell(portal, State.FAILED)
        async with bench.delivering():
            await bench.until(lambda: len(running.received) == 1)
        assert len(await bench.waiting.due_events(portal, 10)) == 1


async def test_a_killed_process_delivers_nothing_twice_under_another_id(
    bench: Bench,
    engine: str,
    tmp_path: Path,
    portal: str,
    authority: trustme.CA,
    shown: ssl.SSLContext,
) -> None:
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    async with http_server(OK, say_nothing, OK, tls=shown) as running:
        await bench.set(portal, running)
        first, second, third = [await bench.tell(portal) for _ in range(3)]
        with start_python(SOURCE, engine, tmp_path, ca_file) as process:
            try:
                await bench.until(lambda: len(running.received) == 2, by=0.0)
            finally:
                process.kill()
                process.communicate(timeout=30)
        async with bench.delivering():
            await bench.settled(portal)
    assert [message_of(one) for one in running.received] == [first, second, second, third]
    assert event_ids(running)[1] == event_ids(running)[2]
    assert len(set(event_ids(running))) == 3


async def test_two_recipients_that_end_apart_are_told_apart(
    bench: Bench, portal: str, shown: ssl.SSLContext
) -> None:
    async with http_server(tls=shown) as running, bench.delivering():
        await bench.set(portal, running)
        message = await bench.tell(portal)
        await note(bench.database, bench.waiting, portal, message, ended(address=BORIS))
        await bench.settled(portal)
    told = [msgspec.json.decode(one.body)["data"]["recipients"] for one in running.received]
    assert sorted(map(str, told)) == ["['anna@example.org']", "['boris@example.org']"]


async def test_nothing_of_a_suspended_portal_is_told_and_all_of_it_afterwards(
    bench: Bench, portal: str, neighbour: str, shown: ssl.SSLContext
) -> None:
    suspending = Suspending(bench.database, bench.clock, bench.waiting.refresh)
    async with (
        http_server(tls=shown) as running,
        http_server(tls=shown) as others,
        bench.delivering(),
    ):
        await bench.set(portal, running)
        await bench.set(neighbour, others)
        await suspending.suspend(portal)
        messages = [await bench.tell(portal) for _ in range(3)]
        await bench.tell(neighbour)
        await bench.settled(neighbour)
        assert await bench.waiting.due_portals(9) == []
        assert running.received == []
        await suspending.resume(portal)
        await bench.settled(portal)
    assert [message_of(one) for one in running.received] == messages


async def test_a_suspension_ends_what_is_told_one_after_the_other(
    bench: Bench, portal: str, shown: ssl.SSLContext
) -> None:
    suspending = Suspending(bench.database, bench.clock, bench.waiting.refresh)

    async def suspend(_request: Received, writer: asyncio.StreamWriter) -> None:
        if len(running.received) == 1:
            await suspending.suspend(portal)
        writer.write(OK)

    async with http_server(suspend, tls=shown) as running:
        await bench.set(portal, running)
        for _ in range(3):
            await bench.tell(portal)
        async with bench.delivering():
            await bench.until(lambda: not bench.delivery._calls and bool(running.received))
            assert len(running.received) == 1
            await suspending.resume(portal)
            await bench.settled(portal)
    assert len(running.received) == 3


async def test_after_a_suspension_events_have_their_day_anew(
    bench: Bench, portal: str, shown: ssl.SSLContext
) -> None:
    suspending = Suspending(bench.database, bench.clock, bench.waiting.refresh)
    async with http_server(status("500 No"), tls=shown) as running:
        await bench.set(portal, running)
        for _ in range(2):
            await bench.tell(portal)
        await suspending.suspend(portal)
        bench.clock.advance(2 * KEPT_SECONDS)
        await suspending.resume(portal)
        async with bench.delivering():
            await bench.until(lambda: len(running.received) >= 3)
            assert (await bench.webhook(portal)).dropped == 0
            bench.clock.advance(KEPT_SECONDS)
            await bench.settled(portal)
    assert (await bench.webhook(portal)).dropped == 2
