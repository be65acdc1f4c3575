"""Holds, as the worker and other processes make and end them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from smarthost.audit.store import AuditLog
from smarthost.clock import MICROSECONDS
from smarthost.database.engine import Database
from smarthost.delivery.outcome import Code, Step
from smarthost.ids import Ids
from smarthost.mail_queue.holds.store import HoldStore, lift
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.leases.store import LeaseStore
from smarthost.mail_queue.model import Attempted, Claim, Kind
from smarthost.mail_queue.outcomes.model import Verdict
from smarthost.mail_queue.store import QueueStore
from smarthost.smtp_settings.sealing import KEY_OCTETS, KeyRing, key_id
from smarthost.smtp_settings.store import SettingsStore
from tests.clocks import START
from tests.engines import ENGINES, migrated_database, open_database
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.conftest import make_portal
from tests.mail_queue.messages import BY, attempted, submit_mail, submit_test
from tests.mail_queue.values import tried
from tests.smtp_settings.relays import OPEN_RELAY, draft

HOLDS = Verdict(holds=True)
DEFAULT = {"default_relay": True}
STATES = "SELECT state, due_at FROM recipients ORDER BY message_id"
MINUTE = 60 * MICROSECONDS


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def database(engine: str, tmp_path: Path) -> AsyncIterator[Database]:
    async with migrated_database(engine, tmp_path) as opened:
        yield opened


@pytest.fixture
def luck() -> list[float]:
    """What is drawn, again and again."""
    return [1.0]


@pytest.fixture
def store(database: Database, clock: HeldClock, luck: list[float]) -> QueueStore:
    return QueueStore(database, clock, Ids(clock), luck=lambda: luck[0])


@pytest.fixture
def holds(database: Database, clock: HeldClock) -> HoldStore:
    return HoldStore(database, clock)


def settings_store(database: Database, clock: HeldClock) -> SettingsStore:
    key = bytes(KEY_OCTETS)
    ring = KeyRing({key_id(key): key}, key_id(key))
    return SettingsStore(database, AuditLog(clock, Ids(clock)), clock, ring, in_each_save=lift)


async def claimed(store: QueueStore, portal: str, kind: Kind = Kind.MAIL) -> Claim:
    (claim,) = await store.claim(portal, kind, ())
    return claim


def failed(claim: Claim, code: Code = Code.TIMED_OUT, **fields: Any) -> list[Attempted]:
    values: dict[str, Any] = {
        "step": Step.CONNECT,
        "attempt": claim.recipients[0].attempt,
        "started_at": claim.started_at,
        "revision": 0,
    }
    return [tried(code, **(values | fields))]


async def hold(store: QueueStore, portal: str, **fields: Any) -> Claim:
    """Let the portal's next message meet a relay that is away."""
    claim = await claimed(store, portal)
    await store.record(claim, failed(claim, **fields), HOLDS)
    return claim


async def due(store: QueueStore) -> list[str]:
    return [turn.portal_id for turn in await store.due_turns(Kind.MAIL, at_most=99)]


async def test_a_portal_on_hold_waits_as_a_whole_and_its_mail_is_due_at_once(
    store: QueueStore, holds: HoldStore, intake: Intake, database: Database, portal: str
) -> None:
    for _ in range(2):
        await submit_mail(intake, portal)
    await hold(store, portal)
    assert await database.fetch(STATES) == [("queued", START)] * 2
    current = await holds.current(portal)
    assert current is not None
    assert (current.code, current.probe_at) == (Code.TIMED_OUT, START + MINUTE)
    assert await due(store) == []
    assert await store.claim(portal, Kind.MAIL, (), at_most=9) == []
    rows = await database.fetch("SELECT result, code, attempt FROM attempts")
    assert rows == [("deferred", "timed_out", 1)]


async def test_mail_that_comes_meanwhile_waits_too(
    store: QueueStore, intake: Intake, portal: str, neighbour: str
) -> None:
    await submit_mail(intake, portal)
    await hold(store, portal)
    await submit_mail(intake, portal)
    await submit_mail(intake, neighbour)
    assert await due(store) == [neighbour]


async def test_one_message_probes_when_it_is_time_and_each_time_another(
    store: QueueStore, holds: HoldStore, intake: Intake, portal: str, clock: HeldClock
) -> None:
    for _ in range(3):
        await submit_mail(intake, portal)
    clock.advance(1)
    first = await hold(store, portal)
    clock.advance(59)
    assert await due(store) == []
    clock.advance(1)
    assert await due(store) == [portal]
    (probe,) = await store.claim(portal, Kind.MAIL, (), at_most=9)
    assert probe.probe
    assert probe.message_id != first.message_id
    assert await due(store) == [], "its probe is under way"
    await store.record(probe, failed(probe), HOLDS)
    current = await holds.current(portal)
    assert current is not None
    assert (current.failures, current.since) == (2, first.started_at)
    assert current.probe_at == clock.now() + 2 * MINUTE


async def test_the_relay_is_probed_again_though_the_probe_came_to_nothing(
    store: QueueStore, intake: Intake, portal: str, clock: HeldClock
) -> None:
    for _ in range(2):
        await submit_mail(intake, portal)
    await hold(store, portal)
    clock.advance(60)
    assert len(await store.claim(portal, Kind.MAIL, ())) == 1
    clock.advance(60)
    assert len(await store.claim(portal, Kind.MAIL, ())) == 1


async def test_what_goes_through_ends_the_hold(
    store: QueueStore, holds: HoldStore, intake: Intake, portal: str, clock: HeldClock
) -> None:
    for _ in range(3):
        await submit_mail(intake, portal)
    await hold(store, portal)
    clock.advance(60)
    probe = await claimed(store, portal)
    recorded = await store.record(probe, attempted(probe, revision=0))
    assert (recorded.kept, recorded.lifted) == (True, True)
    assert await holds.current(portal) is None
    assert await due(store) == [portal]
    assert len(await store.claim(portal, Kind.MAIL, (), at_most=9)) == 2


async def test_a_recipient_that_is_refused_proves_the_relay_as_well(
    store: QueueStore, holds: HoldStore, intake: Intake, portal: str, clock: HeldClock
) -> None:
    await submit_mail(intake, portal)
    await hold(store, portal)
    clock.advance(60)
    probe = await claimed(store, portal)
    refused = failed(probe, Code.TEMPORARILY_REFUSED, step=Step.RECIPIENT)
    assert (await store.record(probe, refused)).lifted
    assert await holds.current(portal) is None


async def test_a_late_outcome_of_a_lost_claim_neither_holds_nor_lifts(
    store: QueueStore, holds: HoldStore, intake: Intake, portal: str, clock: HeldClock
) -> None:
    await submit_mail(intake, portal)
    late = await claimed(store, portal)
    clock.advance(40)
    await hold(store, portal)
    assert not (await store.record(late, attempted(late, revision=0))).lifted
    assert await holds.current(portal) is not None
    clock.advance(60)
    probe = await claimed(store, portal)
    await store.record(probe, attempted(probe, revision=0))
    assert not (await store.record(late, failed(late), HOLDS)).kept
    assert await holds.current(portal) is None


async def test_a_test_ignores_the_hold_and_lifts_it(
    store: QueueStore, holds: HoldStore, intake: Intake, portal: str
) -> None:
    await submit_mail(intake, portal)
    await hold(store, portal)
    await submit_test(intake, portal, revision=0)
    test = await claimed(store, portal, Kind.TEST)
    assert (await store.record(test, attempted(test, revision=0))).lifted
    assert await holds.current(portal) is None
    assert await due(store) == [portal]


async def test_a_notice_ignores_the_hold_and_proves_nothing(
    store: QueueStore, holds: HoldStore, intake: Intake, portal: str
) -> None:
    await submit_mail(intake, portal)
    await hold(store, portal)
    await submit_mail(intake, portal, kind=Kind.NOTICE)
    notice = await claimed(store, portal, Kind.NOTICE)
    assert not (await store.record(notice, attempted(notice, revision=0))).lifted
    assert await holds.current(portal) is not None


async def test_a_save_in_another_process_ends_the_hold_at_once(
    store: QueueStore,
    holds: HoldStore,
    intake: Intake,
    portal: str,
    clock: HeldClock,
    engine: str,
    tmp_path: Path,
) -> None:
    await submit_mail(intake, portal)
    await hold(store, portal)
    elsewhere = open_database(engine, tmp_path)
    try:
        await settings_store(elsewhere, clock).save(portal, draft(OPEN_RELAY, None), BY)
    finally:
        await elsewhere.close()
    assert await holds.current(portal) is None
    assert await due(store) == [portal]
    assert not (await claimed(store, portal)).probe


async def test_a_reset_ends_the_hold_and_a_save_of_the_same_settings_does_not(
    store: QueueStore,
    holds: HoldStore,
    database: Database,
    intake: Intake,
    portal: str,
    clock: HeldClock,
) -> None:
    settings = settings_store(database, clock)
    await settings.save(portal, draft(OPEN_RELAY, None), BY)
    await submit_mail(intake, portal)
    await hold(store, portal, revision=1)
    await settings.save(portal, draft(OPEN_RELAY, None), BY)
    assert await holds.current(portal) is not None
    await settings.reset(portal, BY)
    assert await holds.current(portal) is None


async def test_settings_that_failed_and_are_in_force_no_more_hold_nothing(
    store: QueueStore,
    holds: HoldStore,
    database: Database,
    intake: Intake,
    portal: str,
    clock: HeldClock,
) -> None:
    await submit_mail(intake, portal)
    under_way = await claimed(store, portal)
    await settings_store(database, clock).save(portal, draft(OPEN_RELAY, None), BY)
    await store.record(under_way, failed(under_way), HOLDS)
    assert await holds.current(portal) is None
    assert await due(store) == [portal], "it goes to the new relay at once"


async def test_whoever_begins_to_deliver_probes_everything(
    store: QueueStore, holds: HoldStore, intake: Intake, portal: str, neighbour: str
) -> None:
    for each in (portal, neighbour):
        await submit_mail(intake, each)
        await hold(store, each, code=Code.LOGIN_REFUSED, permanent=True)
    assert await due(store) == []
    await holds.probe_all()
    assert sorted(await due(store)) == sorted([portal, neighbour])
    assert (await claimed(store, portal)).probe


async def test_a_hold_is_brought_nearer_with_the_mail(
    store: QueueStore, database: Database, intake: Intake, portal: str, clock: HeldClock
) -> None:
    await submit_mail(intake, portal)
    await hold(store, portal)
    clock.jump(-86_400)
    await LeaseStore(database, clock).shift(86_400 * MICROSECONDS)
    assert await due(store) == []
    clock.advance(60)
    assert await due(store) == [portal]
    assert (await claimed(store, portal)).probe


async def test_the_default_relay_that_failed_one_portal_holds_the_others_untried(
    store: QueueStore,
    holds: HoldStore,
    intake: Intake,
    database: Database,
    portal: str,
    neighbour: str,
    clock: HeldClock,
) -> None:
    for each in (portal, neighbour):
        await submit_mail(intake, each)
        await submit_mail(intake, each)
    await hold(store, portal, **DEFAULT)
    clock.advance(1)
    claims = await store.claim(neighbour, Kind.MAIL, (), at_most=9)
    assert await store.join_hold(claims, 4)
    joined = await holds.current(neighbour)
    assert joined is not None
    assert (joined.code, joined.revision, joined.since) == (Code.TIMED_OUT, 4, clock.now())
    assert joined.default_relay
    rows = await database.fetch(
        "SELECT state, attempts_count FROM recipients WHERE portal_id = $1", neighbour
    )
    assert rows == [("queued", 0)] * 2
    assert await due(store) == []


async def test_a_portals_own_relay_that_failed_holds_nobody_else(
    store: QueueStore, intake: Intake, portal: str, neighbour: str
) -> None:
    for each in (portal, neighbour):
        await submit_mail(intake, each)
    await hold(store, portal)
    claims = await store.claim(neighbour, Kind.MAIL, ())
    assert not await store.join_hold(claims, 0)


async def test_a_try_of_the_default_relay_that_is_long_past_holds_nobody_else(
    store: QueueStore, intake: Intake, portal: str, neighbour: str, clock: HeldClock
) -> None:
    for each in (portal, neighbour):
        await submit_mail(intake, each)
    await hold(store, portal, **DEFAULT)
    clock.advance(60)
    assert not await store.join_hold(await store.claim(neighbour, Kind.MAIL, ()), 0)


async def test_one_portal_probes_the_default_relay_for_all(
    store: QueueStore,
    holds: HoldStore,
    intake: Intake,
    portal: str,
    neighbour: str,
    clock: HeldClock,
    luck: list[float],
) -> None:
    luck[0] = 0.0  # all at the same time, as soon as may be
    for each in (portal, neighbour):
        await submit_mail(intake, each)
    await hold(store, portal, **DEFAULT)
    await store.join_hold(await store.claim(neighbour, Kind.MAIL, ()), 0)
    clock.advance(45)
    assert sorted(await due(store)) == sorted([portal, neighbour])
    probe = await claimed(store, neighbour)
    assert await store.claim(portal, Kind.MAIL, ()) == [], "the other one tries it just now"
    assert await due(store) == []
    await store.record(probe, failed(probe, Code.TIMED_OUT, **DEFAULT), HOLDS)
    theirs, mine = await holds.current(neighbour), await holds.current(portal)
    assert theirs is not None
    assert mine is not None
    assert (theirs.failures, mine.failures) == (2, 1)
    clock.advance(90)
    assert (await claimed(store, portal)).probe
    assert await store.claim(neighbour, Kind.MAIL, ()) == []


async def test_another_portal_probes_where_the_first_has_nothing_left(
    store: QueueStore,
    database: Database,
    intake: Intake,
    portal: str,
    neighbour: str,
    clock: HeldClock,
) -> None:
    for each in (portal, neighbour):
        await submit_mail(intake, each)
    await hold(store, portal, **DEFAULT)
    await store.join_hold(await store.claim(neighbour, Kind.MAIL, ()), 0)
    clock.advance(120)  # the first one's time, and once more
    assert (await claimed(store, neighbour)).probe


async def test_what_goes_through_the_default_relay_ends_the_hold_of_all(
    store: QueueStore,
    holds: HoldStore,
    database: Database,
    intake: Intake,
    clock: HeldClock,
) -> None:
    waiting = [await make_portal(database, clock, f"p{number}") for number in range(3)]
    own = await make_portal(database, clock, "own")
    for each in (*waiting, own):
        await submit_mail(intake, each)
    await hold(store, own)
    for each in waiting:
        await hold(store, each, **DEFAULT)
    assert sorted(await holds.lift_default()) == sorted(waiting)
    assert sorted(await due(store)) == sorted(waiting)
    assert await holds.current(own) is not None
    assert await holds.lift_default() == []


async def test_a_portal_on_hold_without_mail_has_no_turn(
    store: QueueStore, database: Database, intake: Intake, portal: str, clock: HeldClock
) -> None:
    await submit_mail(intake, portal, expires_at=START + MINUTE)
    await hold(store, portal)
    clock.advance(60)
    assert await store.claim(portal, Kind.MAIL, ()) == []
    assert await database.fetch("SELECT due_at FROM queue_turns") == [(None,)]
