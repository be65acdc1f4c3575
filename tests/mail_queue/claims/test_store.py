from smarthost.clock import MICROSECONDS
from smarthost.database.engine import Database
from smarthost.delivery.outcome import Code, Result, Step
from smarthost.mail_queue.claims.store import MOST_OCTETS
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.model import Claim, Kind
from smarthost.mail_queue.schedule import LEASE_SECONDS
from smarthost.mail_queue.store import QueueStore
from tests.clocks import START
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.messages import ANNA, BORIS, attempted, envelope, submit_mail, submit_test

STATES = "SELECT state FROM recipients ORDER BY message_id"


def ids(claims: list[Claim]) -> list[str]:
    return [claim.message_id for claim in claims]


async def test_several_messages_are_taken_together_by_age(
    store: QueueStore, intake: Intake, portal: str, clock: HeldClock
) -> None:
    submitted = []
    for _ in range(5):
        submitted.append(await submit_mail(intake, portal))
        clock.advance(1)
    first = await store.claim(portal, Kind.MAIL, (), at_most=3)
    assert ids(first) == submitted[:3]
    assert len({claim.id for claim in first}) == 1
    assert ids(await store.claim(portal, Kind.MAIL, (), at_most=3)) == submitted[3:]
    assert await store.claim(portal, Kind.MAIL, (), at_most=3) == []


async def test_all_that_bears_on_an_attempt_comes_with_the_claim(
    store: QueueStore, intake: Intake, portal: str
) -> None:
    at = START + 9 * MICROSECONDS
    await submit_mail(intake, portal, expires_at=at, at_most_once=True)
    (claim,) = await store.claim(portal, Kind.MAIL, ())
    assert (claim.accepted_at, claim.expires_at, claim.at_most_once) == (START, at, True)
    assert (claim.revision, claim.probe) == (None, False)


async def test_a_message_is_taken_once_with_all_its_recipients(
    store: QueueStore, intake: Intake, portal: str, clock: HeldClock
) -> None:
    await submit_mail(intake, portal, ANNA, BORIS)
    clock.advance(1)
    await submit_mail(intake, portal)
    both = await store.claim(portal, Kind.MAIL, (), at_most=9)
    assert [len(claim.recipients) for claim in both] == [2, 1]


async def test_large_messages_are_not_taken_together(
    store: QueueStore, intake: Intake, portal: str
) -> None:
    large = envelope(content=bytes(MOST_OCTETS // 2 + 1))
    for _ in range(3):
        await submit_mail(intake, portal, envelope=large)
    for _ in range(3):
        assert len(await store.claim(portal, Kind.MAIL, (), at_most=9)) == 1


async def test_a_message_larger_than_all_may_be_together_is_taken_alone(
    store: QueueStore, intake: Intake, portal: str
) -> None:
    await submit_mail(intake, portal, envelope=envelope(content=bytes(MOST_OCTETS + 1)))
    await submit_mail(intake, portal)
    assert len(await store.claim(portal, Kind.MAIL, (), at_most=9)) == 1
    assert len(await store.claim(portal, Kind.MAIL, (), at_most=9)) == 1


async def test_what_is_scheduled_is_taken_when_its_moment_has_come(
    store: QueueStore, intake: Intake, portal: str, clock: HeldClock
) -> None:
    await submit_mail(intake, portal, scheduled_at=START + 60 * MICROSECONDS)
    assert await store.due_turns(Kind.MAIL, at_most=9) == []
    assert await store.claim(portal, Kind.MAIL, ()) == []
    clock.advance(60)
    assert len(await store.due_turns(Kind.MAIL, at_most=9)) == 1
    assert len(await store.claim(portal, Kind.MAIL, ())) == 1


async def test_what_its_sender_wants_no_more_expires_instead_of_being_taken(
    store: QueueStore, intake: Intake, database: Database, portal: str, clock: HeldClock
) -> None:
    await submit_mail(intake, portal, ANNA, BORIS, expires_at=START + 60 * MICROSECONDS)
    good = await submit_mail(intake, portal)
    clock.advance(60)
    assert ids(await store.claim(portal, Kind.MAIL, (), at_most=9)) == [good]
    rows = await database.fetch(
        "SELECT state, ended_at, attempts_count FROM recipients WHERE message_id <> $1", good
    )
    assert rows == [("expired", clock.now(), 0)] * 2
    assert await database.fetch("SELECT count(*) FROM attempts") == [(0,)]


async def test_the_workers_own_leases_do_not_stand_in_the_way(
    store: QueueStore, intake: Intake, portal: str, clock: HeldClock
) -> None:
    for _ in range(7):
        await submit_mail(intake, portal)
    own = [await store.claim(portal, Kind.MAIL, (), at_most=2) for _ in range(3)]
    clock.advance(LEASE_SECONDS)
    late = await submit_mail(intake, portal)
    taken = await store.claim(portal, Kind.MAIL, {one[0].id for one in own}, at_most=2)
    assert len(taken) == 2
    assert late in ids(taken)
    for claims in own:
        for claim in claims:
            assert (await store.record(claim, attempted(claim))).kept


async def test_an_ended_lease_is_taken_together_with_what_is_due(
    store: QueueStore, intake: Intake, database: Database, portal: str, clock: HeldClock
) -> None:
    await submit_mail(intake, portal)
    await store.claim(portal, Kind.MAIL, ())
    clock.advance(LEASE_SECONDS)
    await submit_mail(intake, portal)
    again = await store.claim(portal, Kind.MAIL, (), at_most=9)
    assert [claim.recipients[0].attempt for claim in again] == [2, 1]
    assert await database.fetch(STATES) == [("sending",)] * 2


async def test_a_recipient_that_is_not_due_yet_is_left_out(
    store: QueueStore, intake: Intake, portal: str, clock: HeldClock
) -> None:
    await submit_mail(intake, portal, ANNA, BORIS)
    (claim,) = await store.claim(portal, Kind.MAIL, ())
    interrupted = attempted(claim, Result.DEFERRED, code=Code.INTERRUPTED)
    deferred = attempted(claim, Result.DEFERRED, code=Code.TIMED_OUT)
    await store.record(claim, [interrupted[0], deferred[1]])
    (again,) = await store.claim(portal, Kind.MAIL, (), at_most=9)
    assert [one.address for one in again.recipients] == [claim.recipients[0].address]


async def test_a_test_has_not_come_to_its_first_step_when_it_is_taken(
    store: QueueStore, intake: Intake, database: Database, portal: str
) -> None:
    await submit_test(intake, portal)
    await store.claim(portal, Kind.TEST, ())
    assert await database.fetch("SELECT step FROM recipients") == [(None,)]


async def test_the_first_one_taken_is_begun_though_another_stood_before_it(
    store: QueueStore, intake: Intake, database: Database, portal: str, clock: HeldClock
) -> None:
    await submit_mail(intake, portal, at_most_once=True)
    (left,) = await store.claim(portal, Kind.MAIL, ())
    assert await store.record_step(left, Step.DATA)
    clock.advance(LEASE_SECONDS)
    first = await submit_mail(intake, portal)
    clock.advance(1)
    second = await submit_mail(intake, portal)
    assert ids(await store.claim(portal, Kind.MAIL, (), at_most=3)) == [first, second]
    rows = await database.fetch("SELECT state, step FROM recipients ORDER BY message_id")
    assert rows == [("held", "data"), ("sending", "resolve"), ("sending", None)]
