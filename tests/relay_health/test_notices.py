import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from benchmarks.many_portals import more_alike, more_portals
from smarthost.database.engine import Database, StoreUnavailableError
from smarthost.ids import Ids
from smarthost.mail.mailbox import parse_mailbox
from smarthost.mail_queue.accepted.model import Message
from smarthost.mail_queue.accepted.store import MessageStore
from smarthost.mail_queue.holds.store import HoldStore
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.mail_log.log import MailLog
from smarthost.mail_queue.model import Kind
from smarthost.mail_queue.turns.store import refresh_all
from smarthost.portals.model import Portal, Role
from smarthost.portals.store import PortalStore
from smarthost.relay_health.notices import BLIP_SECONDS, LOOK_SECONDS, Notices
from smarthost.relay_health.store import NoticeStore
from smarthost.relay_health.writer import NoticeWriter
from smarthost.smtp_settings.store import SettingsStore
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.listed import every_message
from tests.mail_queue.many import Asked
from tests.mail_queue.messages import ANNA, BY
from tests.relay_health.held import SAVED, accept, hold, let_go, put_on_hold
from tests.suspending import Suspending

ADMINISTRATORS = ("ann@acme.example", "bob@acme.example")
_PATIENCE = 10.0


@dataclass(frozen=True, kw_only=True)
class Bench:
    database: Database
    clock: HeldClock
    notices: Notices
    holds: HoldStore
    messages: MessageStore
    ours: list[bool]

    async def hold(self, portal: Portal, **fields: object) -> None:
        await put_on_hold(self.database, hold(portal.id, self.clock.now(), **fields))

    async def told(self, portal: Portal) -> Sequence[Message]:
        """The portal's notices, newest first."""
        return await every_message(MailLog(self.database), portal.id, kind=Kind.NOTICE)

    async def after(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.notices.tell_all()


@pytest.fixture
async def bench(
    database: Database,
    clock: HeldClock,
    holds: HoldStore,
    messages: MessageStore,
    portals: PortalStore,
    settings: SettingsStore,
    intake: Intake,
    portal: Portal,
) -> Bench:
    for administrator in ADMINISTRATORS:
        await portals.create_user(portal.id, administrator, Role.ADMINISTRATOR, None, BY)
    await portals.create_user(portal.id, "app@acme.example", Role.USER, None, BY)
    await settings.save(portal.id, SAVED, BY)
    ours = [True]
    sender = parse_mailbox("Smarthost <smarthost@example.net>")
    writer = NoticeWriter(messages, portals, settings, sender, clock, Ids(clock))
    return Bench(
        database=database,
        clock=clock,
        notices=Notices(
            holds, NoticeStore(database, clock), writer, intake, clock, lambda: ours[0]
        ),
        holds=holds,
        messages=messages,
        ours=ours,
    )


async def test_the_administrators_get_one_message_after_a_minute(
    bench: Bench, portal: Portal, intake: Intake
) -> None:
    await accept(intake, bench.clock, portal.id, ANNA)
    await bench.hold(portal)
    await bench.after(59.0)
    assert await bench.told(portal) == []
    await bench.after(1.0)
    await bench.after(60.0)
    (message,) = await bench.told(portal)
    assert [one.address for one in message.recipients] == list(ADMINISTRATORS)
    assert message.sender == "smarthost@example.net"
    assert message.accepted_by == "smarthost"
    content = await bench.messages.content(portal.id, message.id)
    assert content is not None
    assert b"mail to 1 recipient\r\n" in content
    held = await bench.holds.current(portal.id)
    assert held is not None
    assert held.told_at is not None


async def test_a_blip_is_told_to_nobody(bench: Bench, portal: Portal) -> None:
    await bench.hold(portal)
    await bench.after(30.0)
    await let_go(bench.database, portal.id)
    await bench.after(60.0)
    assert await bench.told(portal) == []


async def test_a_relay_that_comes_and_goes_is_told_once_a_day(
    bench: Bench, portal: Portal
) -> None:
    for _ in range(5):
        await bench.hold(portal)
        await bench.after(600.0)
        await let_go(bench.database, portal.id)
        await bench.after(600.0)
    assert len(await bench.told(portal)) == 1
    await bench.hold(portal)  # and it stays away
    await bench.after(3600.0)
    assert len(await bench.told(portal)) == 1
    await bench.after(23 * 3600.0)
    await bench.after(3600.0)
    assert len(await bench.told(portal)) == 2


async def test_a_hold_of_the_default_relay_is_the_operators(bench: Bench, portal: Portal) -> None:
    await bench.hold(portal, default_relay=True)
    await bench.after(120.0)
    assert await bench.told(portal) == []


async def test_a_portal_whose_administrators_wait_hides_no_other(
    bench: Bench,
    database: Database,
    portals: PortalStore,
    settings: SettingsStore,
    portal: Portal,
) -> None:
    late = []
    for number in range(250):
        one = await portals.create_portal(f"p{number}", BY)
        await portals.create_user(one.id, "ann@acme.example", Role.ADMINISTRATOR, None, BY)
        late.append(one)
        await put_on_hold(database, hold(one.id, bench.clock.now()))
        await NoticeStore(database, bench.clock).note(one.id)
    await bench.hold(portal)
    last = await portals.create_portal("last", BY)
    await portals.create_user(last.id, "ann@acme.example", Role.ADMINISTRATOR, None, BY)
    await put_on_hold(database, hold(last.id, bench.clock.now()))
    await bench.after(120.0)
    assert [len(await bench.told(one)) for one in (portal, last, late[0])] == [1, 1, 0]


async def test_a_portal_without_administrators_disturbs_nobody(
    bench: Bench, portal: Portal, neighbour: Portal
) -> None:
    await bench.hold(neighbour)
    await bench.hold(portal)
    await bench.after(120.0)
    assert [len(await bench.told(one)) for one in (neighbour, portal)] == [0, 1]


async def test_who_cannot_be_told_is_not_asked_about_again_and_again(
    bench: Bench, database: Database, portal: Portal, neighbour: Portal
) -> None:
    """No administrator, told today already, suspended: it is one question for all of them."""
    await bench.hold(portal)
    await bench.hold(neighbour)
    await more_portals(database, neighbour.id, 300)
    await more_alike(database, neighbour.id)
    await bench.after(120.0)
    assert len(await bench.told(portal)) == 1
    await let_go(bench.database, portal.id)
    await bench.hold(portal)
    bench.clock.advance(120.0)
    asked, store = Asked(database), bench.notices._store
    store._database = asked
    assert await store.to_tell(since=bench.clock.now(), told_by=0, after="", at_most=500) == []
    await bench.notices.tell_all()
    assert asked.asked == 2


class Faltering(NoticeStore):
    """Fails once."""

    failing = True

    async def note(self, portal_id: str) -> None:
        if self.failing:
            self.failing = False
            raise StoreUnavailableError("the disk is full")
        await super().note(portal_id)


async def test_what_could_not_be_written_down_is_not_told_twice(
    bench: Bench,
    database: Database,
    holds: HoldStore,
    messages: MessageStore,
    portals: PortalStore,
    settings: SettingsStore,
    intake: Intake,
    portal: Portal,
) -> None:
    sender = parse_mailbox("smarthost@example.net")
    writer = NoticeWriter(messages, portals, settings, sender, bench.clock, Ids(bench.clock))
    store = Faltering(database, bench.clock)
    notices = Notices(holds, store, writer, intake, bench.clock, lambda: True)
    await bench.hold(portal)
    bench.clock.advance(60.0)
    with pytest.raises(StoreUnavailableError):
        await notices.tell_all()
    await notices.tell_all()
    assert len(await bench.told(portal)) == 1
    held = await holds.current(portal.id)
    assert held is not None
    assert held.told_at is not None


async def test_only_the_process_that_delivers_tells(bench: Bench, portal: Portal) -> None:
    bench.ours[0] = False
    await bench.hold(portal)
    running = asyncio.create_task(bench.notices.run())
    async with asyncio.timeout(_PATIENCE):
        for _ in range(10):
            bench.clock.advance(LOOK_SECONDS)
            await asyncio.sleep(0.001)
        assert await bench.told(portal) == []
        bench.ours[0] = True
        while not await bench.told(portal):
            bench.clock.advance(LOOK_SECONDS)
            await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.wait({running})


async def test_nobody_of_a_suspended_portal_is_written_to_until_it_goes_on(
    bench: Bench, portal: Portal
) -> None:
    suspending = Suspending(bench.database, bench.clock, refresh_all)
    await bench.hold(portal)
    await suspending.suspend(portal.id)
    await bench.after(BLIP_SECONDS)
    assert await bench.told(portal) == []
    await suspending.resume(portal.id)
    await bench.after(LOOK_SECONDS)
    assert len(await bench.told(portal)) == 1
