from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from smarthost.clock import MICROSECONDS
from smarthost.database.engine import Database
from smarthost.delivery.outcome import Code, Result, Step
from smarthost.ids import Ids
from smarthost.mail.dsn import Dsn, Notify, RecipientDsn, Return
from smarthost.mail_queue.accepted.store import MessageStore
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.model import Attempted, Claim, Kind, State
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
    (claim,) = await store.claim(portal, kind, ())
    return claim


async def due(store: QueueStore, kind: Kind, at_most: int = 9) -> list[str]:
    return [turn.portal_id for turn in await store.due_turns(kind, at_most=at_most)]


async def kept(store: QueueStore, claim: Claim, tried: Sequence[Attempted]) -> bool:
    return (await store.record(claim, tried)).kept


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
    assert await due(store, Kind.TEST) == []
    assert await store.claim(portal, Kind.TEST, ()) == []


async def test_a_claim_takes_one_message_with_all_its_recipients(
    store: QueueStore, intake: Intake, portal: str, clock: HeldClock
) -> None:
    await submit_mail(intake, portal, ANNA, BORIS)
    clock.advance(1)
    await submit_mail(intake, portal, "third@example.org")
    first = await claimed(store, portal, Kind.MAIL)
    assert {one.address for one in first.recipients} == {ANNA, BORIS}
    assert await due(store, Kind.MAIL) == [portal]
    second = await claimed(store, portal, Kind.MAIL)
    assert [one.address for one in second.recipients] == ["third@example.org"]
    assert second.id != first.id
    assert await due(store, Kind.MAIL) == []


async def test_a_claim_takes_nothing_of_another_kind_or_of_a_neighbour(
    store: QueueStore, intake: Intake, database: Database, portal: str, neighbour: str
) -> None:
    await submit_test(intake, portal)
    assert await store.claim(portal, Kind.MAIL, ()) == []
    assert await store.claim(neighbour, Kind.TEST, ()) == []
    assert await states(database) == [(ANNA, "queued")]


async def test_the_portal_that_waits_longest_comes_first(
    store: QueueStore, intake: Intake, portal: str, neighbour: str, clock: HeldClock
) -> None:
    await submit_mail(intake, neighbour)
    clock.advance(1)
    for _ in range(3):
        await submit_mail(intake, portal)
    assert await due(store, Kind.MAIL) == [neighbour, portal]
    assert await due(store, Kind.MAIL, 1) == [neighbour]
    assert await due(store, Kind.MAIL, 0) == []


async def test_the_envelope_is_what_was_accepted_for_those_who_are_claimed(
    store: QueueStore, intake: Intake, portal: str
) -> None:
    await submit_mail(intake, portal, ANNA, BORIS)
    claim = await claimed(store, portal, Kind.MAIL)
    assert await store.envelope(claim) == envelope(ANNA, BORIS)
    only = [one for one in attempted(claim) if one.address == ANNA]
    await store.record(claim, only)
    rest = replace(claim, recipients=claim.recipients[1:])
    assert (await store.envelope(rest)).recipients == (BORIS,)
    assert (await store.envelope(rest)).content == CONTENT


@pytest.mark.parametrize(
    "dsn",
    [
        Dsn(),
        Dsn(
            ret=Return.HEADERS,
            envelope_id='order "17"',
            recipients={
                ANNA: RecipientDsn(notify=frozenset({Notify.SUCCESS, Notify.FAILURE})),
                BORIS: RecipientDsn(original_recipient="utf-8;jörg@example.org"),
            },
        ),
    ],
)
async def test_what_the_sender_asks_to_be_told_is_kept_with_the_message(
    store: QueueStore, intake: Intake, portal: str, dsn: Dsn
) -> None:
    asking = envelope(ANNA, BORIS, dsn=dsn)
    await submit_mail(intake, portal, envelope=asking)
    assert await store.envelope(await claimed(store, portal, Kind.MAIL)) == asking


async def test_all_that_is_known_of_an_attempt_is_read_again(
    store: QueueStore, messages: MessageStore, intake: Intake, portal: str
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
    assert await kept(store, claim, [tried])
    last = await messages.last_test(portal)
    assert last is not None
    assert (last.message_id, last.recipient, last.revision) == (message_id, ANNA, REVISION)
    assert (last.accepted_at, last.state, last.step) == (START, State.FAILED, Step.AUTHENTICATE)
    assert last.attempt == tried


async def test_an_attempt_of_which_little_is_known_is_read_again(
    store: QueueStore, messages: MessageStore, intake: Intake, portal: str
) -> None:
    await submit_test(intake, portal)
    claim = await claimed(store, portal)
    tried = attempted(claim, Result.DEFERRED, microseconds=None, code=Code.INTERRUPTED)
    await store.record(claim, tried)
    last = await messages.last_test(portal)
    assert last is not None
    assert last.attempt == tried[0]


async def test_the_last_test_is_the_portals_own(
    store: QueueStore, messages: MessageStore, intake: Intake, portal: str, neighbour: str
) -> None:
    await submit_test(intake, portal)
    assert await messages.last_test(neighbour) is None


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
    due_at = START + 300 * MICROSECONDS
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
    assert await store.claim(portal, Kind.MAIL, ()) == []
    clock.advance(300)
    assert await due(store, Kind.MAIL) == [portal]
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
    store: QueueStore, messages: MessageStore, intake: Intake, portal: str
) -> None:
    await submit_test(intake, portal)
    claim = await claimed(store, portal)
    for step in (Step.CONNECT, Step.AUTHENTICATE):
        assert await store.record_step(claim, step)
        last = await messages.last_test(portal)
        assert last is not None
        assert (last.state, last.step) == (State.SENDING, step)


async def test_a_test_whose_worker_died_is_never_taken_up_again(
    store: QueueStore,
    messages: MessageStore,
    intake: Intake,
    database: Database,
    portal: str,
    clock: HeldClock,
) -> None:
    await submit_test(intake, portal)
    claim = await claimed(store, portal)
    await store.record_step(claim, Step.AUTHENTICATE)
    clock.advance(LEASE_SECONDS)
    assert await store.claim(portal, Kind.TEST, ()) == []
    assert await states(database) == [(ANNA, "failed")]
    last = await messages.last_test(portal)
    assert last is not None
    assert last.attempt is not None
    assert (last.attempt.code, last.attempt.step) == (Code.INTERRUPTED, Step.AUTHENTICATE)
    assert (last.attempt.in_doubt, last.attempt.microseconds) == (False, None)
    assert last.attempt.revision == REVISION
    assert await due(store, Kind.TEST) == []


async def test_a_test_that_nobody_took_in_time_expires(
    store: QueueStore, intake: Intake, database: Database, portal: str, clock: HeldClock
) -> None:
    await submit_test(intake, portal)
    clock.advance(40)
    assert await store.claim(portal, Kind.TEST, ()) == []
    assert await states(database) == [(ANNA, "expired")]
    assert await database.fetch(ATTEMPTS) == []
    assert await due(store, Kind.TEST) == []


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
    assert await due(store, Kind.MAIL) == []
    assert await store.claim(portal, Kind.MAIL, ()) == []


@pytest.mark.parametrize("kind", [Kind.TEST, Kind.MAIL])
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
    assert await store.claim(portal, kind, {claim.id}) == []
    assert await states(database) == [(ANNA, "sending")]
    assert await due(store, kind) == []
    assert await kept(store, claim, attempted(claim))
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
    assert not await kept(store, late, attempted(late))
    assert await database.fetch("SELECT * FROM recipients") == before
    assert [row[1] for row in await database.fetch(ATTEMPTS)] == [1]
    assert await kept(store, current, attempted(current))
    assert not await kept(store, current, attempted(current))
    assert not await kept(store, late, attempted(late))
    assert [row[1:3] for row in await database.fetch(ATTEMPTS)] == [
        (1, "deferred"),
        (2, "accepted"),
    ]


async def test_a_late_writer_cannot_write_through_another_portal(
    store: QueueStore, intake: Intake, database: Database, portal: str, neighbour: str
) -> None:
    await submit_test(intake, portal)
    claim = await claimed(store, portal)
    theirs = replace(claim, portal_id=neighbour)
    assert not await store.record_step(theirs, Step.DATA)
    assert not await kept(store, theirs, attempted(theirs))
    assert await states(database) == [(ANNA, "sending")]


async def test_what_was_claimed_and_not_begun_goes_back_as_it_was(
    store: QueueStore, intake: Intake, database: Database, portal: str, clock: HeldClock
) -> None:
    await submit_mail(intake, portal, ANNA, BORIS)
    before = await database.fetch("SELECT * FROM recipients")
    claim = await claimed(store, portal, Kind.MAIL)
    await store.give_back([claim])
    assert await database.fetch("SELECT * FROM recipients") == before
    assert await due(store, Kind.MAIL) == [portal]
    again = await claimed(store, portal, Kind.MAIL)
    assert [one.attempt for one in again.recipients] == [1, 1]
    await store.record(again, attempted(again, Result.DEFERRED, **TIMED_OUT))
    clock.advance(300)
    third = await claimed(store, portal, Kind.MAIL)
    await store.give_back([third])
    rows = await database.fetch("SELECT attempts_count, claimed_at FROM recipients")
    assert rows == [(1, third.started_at)] * 2


async def test_what_somebody_else_holds_is_not_given_back(
    store: QueueStore, intake: Intake, database: Database, portal: str, clock: HeldClock
) -> None:
    await submit_mail(intake, portal)
    late = await claimed(store, portal, Kind.MAIL)
    clock.advance(LEASE_SECONDS)
    await claimed(store, portal, Kind.MAIL)
    await store.give_back([late])
    assert await states(database) == [(ANNA, "sending")]


async def test_the_next_message_is_begun_with_the_outcome_of_the_one_before(
    store: QueueStore, intake: Intake, database: Database, portal: str
) -> None:
    for _ in range(2):
        await submit_mail(intake, portal)
    first, second = await store.claim(portal, Kind.MAIL, (), at_most=9)
    steps = "SELECT state, step FROM recipients ORDER BY message_id"
    assert await database.fetch(steps) == [("sending", "resolve"), ("sending", None)]
    await store.record(first, attempted(first), then=second)
    assert await database.fetch(steps) == [("sent", "data"), ("sending", "resolve")]


async def test_what_has_ended_says_when(
    store: QueueStore, intake: Intake, database: Database, portal: str, clock: HeldClock
) -> None:
    await submit_mail(intake, portal, ANNA, BORIS)
    claim = await claimed(store, portal, Kind.MAIL)
    clock.advance(2)
    sent, _ = attempted(claim)
    _, deferred = attempted(claim, Result.DEFERRED, **TIMED_OUT)
    await store.record(claim, [sent, deferred])
    rows = await database.fetch("SELECT ended_at FROM recipients ORDER BY address")
    assert rows == [(clock.now(),), (None,)]


async def test_when_a_relay_last_took_mail_stands_with_the_turn(
    store: QueueStore, intake: Intake, database: Database, portal: str, clock: HeldClock
) -> None:
    last_sent = "SELECT last_sent_at FROM queue_turns"
    await submit_mail(intake, portal, ANNA, BORIS)
    claim = await claimed(store, portal, Kind.MAIL)
    deferred, sent = attempted(claim, Result.DEFERRED, **TIMED_OUT)[0], attempted(claim)[1]
    await store.record(claim, [deferred])
    assert await database.fetch(last_sent) == [(None,)]
    await store.record(claim, [sent])
    assert await database.fetch(last_sent) == [(clock.now(),)]


async def test_what_must_not_arrive_twice_is_held_if_it_may_have_arrived(
    store: QueueStore, intake: Intake, database: Database, portal: str
) -> None:
    await submit_mail(intake, portal, at_most_once=True)
    claim = await claimed(store, portal, Kind.MAIL)
    doubtful = attempted(claim, Result.DEFERRED, in_doubt=True, **TIMED_OUT)
    await store.record(claim, doubtful)
    rows = await database.fetch("SELECT state, held_for, in_doubt, due_at FROM recipients")
    assert rows == [("held", "in_doubt", 1, None)]
    assert await due(store, Kind.MAIL) == []


async def test_mail_expires_after_many_tries_and_days(
    store: QueueStore, intake: Intake, database: Database, portal: str, clock: HeldClock
) -> None:
    await submit_mail(intake, portal)
    for number in range(1, 9):
        if number == 8:
            clock.advance(5 * 86_400)
        claim = await claimed(store, portal, Kind.MAIL)
        await store.record(claim, attempted(claim, Result.DEFERRED, **TIMED_OUT))
        clock.advance(4 * 3600)
    assert await states(database) == [(ANNA, "expired")]
    assert len(await database.fetch(ATTEMPTS)) == 8


@pytest.mark.parametrize("seconds", [3600, 10 * 365 * 86_400])
async def test_a_clock_that_jumps_ahead_lets_no_mail_expire(
    store: QueueStore,
    intake: Intake,
    database: Database,
    portal: str,
    clock: HeldClock,
    seconds: float,
) -> None:
    await submit_mail(intake, portal)
    for _ in range(9):
        claim = await claimed(store, portal, Kind.MAIL)
        clock.jump(seconds)
        await store.record(claim, attempted(claim, Result.DEFERRED, **TIMED_OUT))
        clock.advance(5 * 3600)
    assert await states(database) == [(ANNA, "queued")]


@pytest.mark.parametrize("keeps_sent", [False, True])
async def test_content_goes_with_the_last_recipient_that_has_it(
    database: Database, clock: HeldClock, intake: Intake, portal: str, keeps_sent: bool
) -> None:
    store = QueueStore(database, clock, Ids(clock), keeps_sent=keeps_sent)
    bodies = "SELECT count(*) FROM message_bodies"
    await submit_mail(intake, portal, ANNA, BORIS)
    claim = await claimed(store, portal, Kind.MAIL)
    first, second = attempted(claim)
    await store.record(claim, [first])
    assert await database.fetch(bodies) == [(1,)]
    await store.record(claim, [second])
    assert await database.fetch(bodies) == [(int(keeps_sent),)]
