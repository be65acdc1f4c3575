import pytest

from smarthost.clock import MICROSECONDS
from smarthost.database.engine import Database
from smarthost.delivery.outcome import Code, Result, Step
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.model import Claim, Kind, State
from smarthost.mail_queue.schedule import LEASE_SECONDS
from smarthost.mail_queue.store import QueueStore
from tests.clocks import START
from tests.engines import executing
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.messages import (
    ANNA,
    BORIS,
    CONTENT,
    REVISION,
    attempted,
    envelope,
    submit_mail,
    submit_test,
)

RECIPIENTS = "SELECT address, state, due_at, in_doubt FROM recipients ORDER BY address"
ATTEMPTS = """
SELECT address, attempt, result, step, code, in_doubt FROM attempts ORDER BY address, attempt"""
TURNS = "SELECT kind, due_at FROM queue_turns ORDER BY kind"
TIMED_OUT = {"code": Code.TIMED_OUT}


async def claimed(store: QueueStore, portal: str, kind: Kind = Kind.TEST) -> Claim:
    claim = await store.claim(portal, kind, ())
    assert claim is not None
    return claim


async def states(database: Database) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in await database.fetch(RECIPIENTS)]


async def test_a_claim_names_the_message_and_counts_the_attempt(
    store: QueueStore, intake: Intake, database: Database, portal: str
) -> None:
    message_id = await submit_test(intake, portal)
    claim = await claimed(store, portal)
    assert (claim.portal_id, claim.message_id, claim.kind) == (portal, message_id, Kind.TEST)
    assert (claim.revision, claim.started_at) == (REVISION, START)
    assert [(one.address, one.attempt) for one in claim.recipients] == [(ANNA, 1)]
    assert await states(database) == [(ANNA, "sending")]
    assert await database.fetch("SELECT attempts_count FROM recipients") == [(1,)]


async def test_what_is_held_is_not_claimed_again(
    store: QueueStore, intake: Intake, portal: str
) -> None:
    await submit_test(intake, portal)
    await claimed(store, portal)
    assert await store.due_portals(Kind.TEST, 9) == []
    assert await store.claim(portal, Kind.TEST, ()) is None


async def test_a_claim_takes_one_message_with_all_its_recipients(
    store: QueueStore, intake: Intake, portal: str, clock: HeldClock
) -> None:
    await submit_mail(intake, portal, ANNA, BORIS)
    clock.advance(1)
    await submit_mail(intake, portal, "third@example.org")
    first = await claimed(store, portal, Kind.MAIL)
    assert {one.address for one in first.recipients} == {ANNA, BORIS}
    assert await store.due_portals(Kind.MAIL, 9) == [portal]
    second = await claimed(store, portal, Kind.MAIL)
    assert [one.address for one in second.recipients] == ["third@example.org"]
    assert second.id != first.id
    assert await store.due_portals(Kind.MAIL, 9) == []


async def test_a_claim_takes_nothing_of_another_kind_or_of_a_neighbour(
    store: QueueStore, intake: Intake, database: Database, portal: str, neighbour: str
) -> None:
    await submit_test(intake, portal)
    assert await store.claim(portal, Kind.MAIL, ()) is None
    assert await store.claim(neighbour, Kind.TEST, ()) is None
    assert await states(database) == [(ANNA, "queued")]


async def test_the_portal_that_waits_longest_comes_first(
    store: QueueStore, intake: Intake, portal: str, neighbour: str, clock: HeldClock
) -> None:
    await submit_mail(intake, neighbour)
    clock.advance(1)
    for _ in range(3):
        await submit_mail(intake, portal)
    assert await store.due_portals(Kind.MAIL, 9) == [neighbour, portal]
    assert await store.due_portals(Kind.MAIL, 1) == [neighbour]
    assert await store.due_portals(Kind.MAIL, 0) == []


async def test_the_envelope_is_what_was_accepted_for_those_who_are_claimed(
    store: QueueStore, intake: Intake, portal: str
) -> None:
    await submit_mail(intake, portal, ANNA, BORIS)
    claim = await claimed(store, portal, Kind.MAIL)
    assert await store.envelope(claim) == envelope(ANNA, BORIS)
    only = [one for one in attempted(claim) if one.address == ANNA]
    await store.record(claim, only)
    rest = Claim(
        id=claim.id,
        portal_id=portal,
        message_id=claim.message_id,
        kind=claim.kind,
        revision=None,
        started_at=claim.started_at,
        recipients=claim.recipients[1:],
    )
    assert (await store.envelope(rest)).recipients == (BORIS,)
    assert (await store.envelope(rest)).content == CONTENT


async def test_all_that_is_known_of_an_attempt_is_read_again(
    store: QueueStore, intake: Intake, portal: str
) -> None:
    message_id = await submit_test(intake, portal)
    claim = await claimed(store, portal)
    (tried,) = attempted(
        claim,
        Result.REFUSED,
        step=Step.AUTHENTICATE,
        code=Code.LOGIN_REFUSED,
        permanent=True,
        in_doubt=True,
        reply="535 5.7.8 no",
        revision=REVISION,
        relay_host="mail.example.com",
        relay_port=587,
        default_relay=False,
        relay_address="192.0.2.25",
        tls="TLSv1.3",
        warnings=(Code.NOT_ENCRYPTED, Code.PASSWORD_IN_CLEAR),
    )
    assert await store.record(claim, [tried])
    last = await store.last_test(portal)
    assert last is not None
    assert (last.message_id, last.recipient, last.revision) == (message_id, ANNA, REVISION)
    assert (last.accepted_at, last.state, last.step) == (START, State.FAILED, Step.AUTHENTICATE)
    assert last.attempt == tried


async def test_an_attempt_of_which_little_is_known_is_read_again(
    store: QueueStore, intake: Intake, portal: str
) -> None:
    await submit_test(intake, portal)
    claim = await claimed(store, portal)
    tried = attempted(claim, Result.DEFERRED, microseconds=None, code=Code.INTERRUPTED)
    await store.record(claim, tried)
    last = await store.last_test(portal)
    assert last is not None
    assert last.attempt == tried[0]


async def test_the_last_test_is_the_portals_own(
    store: QueueStore, intake: Intake, portal: str, neighbour: str
) -> None:
    await submit_test(intake, portal)
    assert await store.last_test(neighbour) is None


@pytest.mark.parametrize(
    ("result", "fields", "state"),
    [
        (Result.ACCEPTED, {}, "sent"),
        (Result.DEFERRED, TIMED_OUT, "failed"),
        (Result.REFUSED, {"code": Code.RECIPIENT_REFUSED}, "failed"),
    ],
)
async def test_a_test_has_ended_after_one_attempt(
    store: QueueStore,
    intake: Intake,
    database: Database,
    portal: str,
    result: Result,
    fields: dict[str, Code],
    state: str,
) -> None:
    await submit_test(intake, portal)
    claim = await claimed(store, portal)
    await store.record(claim, attempted(claim, result, **fields))
    assert await database.fetch(RECIPIENTS) == [(ANNA, state, None, 0)]
    assert await database.fetch(TURNS) == [("test", None)]


async def test_each_recipient_has_an_outcome_of_its_own(
    store: QueueStore, intake: Intake, database: Database, portal: str
) -> None:
    await submit_mail(intake, portal, ANNA, BORIS)
    claim = await claimed(store, portal, Kind.MAIL)
    sent, _ = attempted(claim)
    _, deferred = attempted(claim, Result.DEFERRED, **TIMED_OUT)
    await store.record(claim, [sent, deferred])
    due_at = START + 60 * MICROSECONDS
    assert await database.fetch(RECIPIENTS) == [
        (ANNA, "sent", None, 0),
        (BORIS, "queued", due_at, 0),
    ]
    assert await database.fetch(TURNS) == [("mail", due_at)]


async def test_deferred_mail_is_claimed_again_when_it_is_due(
    store: QueueStore, intake: Intake, database: Database, portal: str, clock: HeldClock
) -> None:
    await submit_mail(intake, portal)
    claim = await claimed(store, portal, Kind.MAIL)
    await store.record(claim, attempted(claim, Result.DEFERRED, **TIMED_OUT))
    assert await store.claim(portal, Kind.MAIL, ()) is None
    clock.advance(60)
    assert await store.due_portals(Kind.MAIL, 9) == [portal]
    again = await claimed(store, portal, Kind.MAIL)
    assert [one.attempt for one in again.recipients] == [2]
    await store.record(again, attempted(again))
    assert await database.fetch(ATTEMPTS) == [
        (ANNA, 1, "deferred", "data", "timed_out", 0),
        (ANNA, 2, "accepted", "data", None, 0),
    ]


async def test_an_attempt_is_never_changed(
    store: QueueStore, intake: Intake, database: Database, portal: str
) -> None:
    await submit_test(intake, portal)
    claim = await claimed(store, portal)
    await store.record(claim, attempted(claim))
    with pytest.raises(Exception, match="never changed"):
        await database.transact(executing("UPDATE attempts SET result = 'refused'"))


async def test_a_step_is_seen_while_the_attempt_runs(
    store: QueueStore, intake: Intake, portal: str
) -> None:
    await submit_test(intake, portal)
    claim = await claimed(store, portal)
    for step in (Step.CONNECT, Step.AUTHENTICATE):
        assert await store.record_step(claim, step)
        last = await store.last_test(portal)
        assert last is not None
        assert (last.state, last.step) == (State.SENDING, step)


async def test_a_test_whose_worker_died_is_never_taken_up_again(
    store: QueueStore, intake: Intake, database: Database, portal: str, clock: HeldClock
) -> None:
    await submit_test(intake, portal)
    claim = await claimed(store, portal)
    await store.record_step(claim, Step.AUTHENTICATE)
    clock.advance(LEASE_SECONDS)
    assert await store.claim(portal, Kind.TEST, ()) is None
    assert await states(database) == [(ANNA, "failed")]
    last = await store.last_test(portal)
    assert last is not None
    assert last.attempt is not None
    assert (last.attempt.code, last.attempt.step) == (Code.INTERRUPTED, Step.AUTHENTICATE)
    assert (last.attempt.in_doubt, last.attempt.microseconds) == (False, None)
    assert last.attempt.revision == REVISION
    assert await store.due_portals(Kind.TEST, 9) == []


async def test_a_test_that_nobody_took_in_time_expires(
    store: QueueStore, intake: Intake, database: Database, portal: str, clock: HeldClock
) -> None:
    await submit_test(intake, portal)
    clock.advance(40)
    assert await store.claim(portal, Kind.TEST, ()) is None
    assert await states(database) == [(ANNA, "expired")]
    assert await database.fetch(ATTEMPTS) == []
    assert await store.due_portals(Kind.TEST, 9) == []


@pytest.mark.parametrize(
    ("step", "in_doubt"), [(None, 0), (Step.CONNECT, 0), (Step.RECIPIENT, 0), (Step.DATA, 1)]
)
async def test_mail_whose_worker_died_is_taken_again_and_marked_if_it_may_have_arrived(
    store: QueueStore,
    intake: Intake,
    database: Database,
    portal: str,
    clock: HeldClock,
    step: Step | None,
    in_doubt: int,
) -> None:
    await submit_mail(intake, portal)
    first = await claimed(store, portal, Kind.MAIL)
    if step is not None:
        await store.record_step(first, step)
    clock.advance(LEASE_SECONDS)
    second = await claimed(store, portal, Kind.MAIL)
    assert [one.attempt for one in second.recipients] == [2]
    await store.record(second, attempted(second))
    assert await database.fetch(RECIPIENTS) == [(ANNA, "sent", None, in_doubt)]
    reached = (step or Step.RESOLVE).value
    assert await database.fetch(ATTEMPTS) == [
        (ANNA, 1, "deferred", reached, "interrupted", in_doubt),
        (ANNA, 2, "accepted", "data", None, 0),
    ]


async def test_a_lease_that_has_not_ended_is_left_alone(
    store: QueueStore, intake: Intake, portal: str, clock: HeldClock
) -> None:
    await submit_mail(intake, portal)
    await claimed(store, portal, Kind.MAIL)
    clock.advance(LEASE_SECONDS - 0.001)
    assert await store.due_portals(Kind.MAIL, 9) == []
    assert await store.claim(portal, Kind.MAIL, ()) is None


@pytest.mark.parametrize("kind", Kind)
async def test_a_worker_renews_what_it_still_works_on(
    store: QueueStore,
    intake: Intake,
    database: Database,
    portal: str,
    clock: HeldClock,
    kind: Kind,
) -> None:
    await (submit_test if kind is Kind.TEST else submit_mail)(intake, portal)
    claim = await claimed(store, portal, kind)
    clock.jump(3600)
    assert await store.claim(portal, kind, {claim.id}) is None
    assert await states(database) == [(ANNA, "sending")]
    assert await store.due_portals(kind, 9) == []
    assert await store.record(claim, attempted(claim))
    assert await states(database) == [(ANNA, "sent")]


async def test_a_late_writer_changes_nothing(
    store: QueueStore, intake: Intake, database: Database, portal: str, clock: HeldClock
) -> None:
    await submit_mail(intake, portal)
    late = await claimed(store, portal, Kind.MAIL)
    clock.advance(LEASE_SECONDS)
    current = await claimed(store, portal, Kind.MAIL)
    before = await database.fetch("SELECT * FROM recipients")
    assert not await store.record_step(late, Step.DATA)
    assert not await store.record(late, attempted(late))
    assert await database.fetch("SELECT * FROM recipients") == before
    assert [row[1] for row in await database.fetch(ATTEMPTS)] == [1]
    assert await store.record(current, attempted(current))
    assert not await store.record(current, attempted(current))
    assert not await store.record(late, attempted(late))
    assert [row[1:3] for row in await database.fetch(ATTEMPTS)] == [
        (1, "deferred"),
        (2, "accepted"),
    ]


async def test_a_late_writer_cannot_write_through_another_portal(
    store: QueueStore, intake: Intake, database: Database, portal: str, neighbour: str
) -> None:
    await submit_test(intake, portal)
    claim = await claimed(store, portal)
    theirs = Claim(
        id=claim.id,
        portal_id=neighbour,
        message_id=claim.message_id,
        kind=claim.kind,
        revision=claim.revision,
        started_at=claim.started_at,
        recipients=claim.recipients,
    )
    assert not await store.record_step(theirs, Step.DATA)
    assert not await store.record(theirs, attempted(theirs))
    assert await states(database) == [(ANNA, "sending")]
