import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from smarthost.audit.store import AuditLog
from smarthost.database.engine import Database, StoreFullError, Transaction
from smarthost.database.migrate import migrate
from smarthost.delivery.outcome import Code
from smarthost.ids import Ids
from smarthost.mail_queue.accepted.model import (
    LARGEST_MESSAGE,
    MOST_RECIPIENTS,
    Details,
    Idempotency,
    IdempotencyMismatchError,
    NotAcceptableError,
    Tag,
)
from smarthost.mail_queue.accepted.store import MessageStore
from smarthost.mail_queue.arrivals.store import ArrivalStore
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.mail_log.log import MailLog
from smarthost.mail_queue.model import Kind, State
from smarthost.portals.store import PortalStore
from tests.clocks import START
from tests.disks import small_disk
from tests.engines import executing, open_database
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.listed import every_message
from tests.mail_queue.messages import (
    ANNA,
    BORIS,
    BY,
    CONTENT,
    REVISION,
    envelope,
    submission,
    submit_mail,
    submit_test,
)
from tests.mail_queue.states import put

MESSAGES = "SELECT kind, revision, accepted_at, accepted_by, owner, sender, size FROM messages"
BODIES = "SELECT content FROM message_bodies"
RECIPIENTS = "SELECT address, state, due_at, scheduled_at FROM recipients ORDER BY address"
TURNS = "SELECT kind, due_at FROM queue_turns WHERE portal_id = $1 ORDER BY kind"
OWNER = "key:1"


def asked(key: str = "k", digest: bytes = b"d", answer: bytes = b"first") -> Idempotency:
    return Idempotency(key=key, digest=digest, answer=answer)


async def submit(intake: Intake, portal: str, idempotency: Idempotency, **fields: Any) -> Any:
    values: dict[str, Any] = {"by": BY, "owner": OWNER}
    return await intake.submit(
        portal, [submission(intake, ANNA)], idempotency=idempotency, **(values | fields)
    )


async def count(database: Database) -> int:
    return len(await database.fetch(MESSAGES))


async def test_what_was_accepted_is_stored_whole(
    intake: Intake, database: Database, portal: str
) -> None:
    await submit_test(intake, portal)
    stored = ("test", REVISION, START, BY.name, None, "portal@example.com", len(CONTENT))
    assert await database.fetch(MESSAGES) == [stored]
    assert await database.fetch(BODIES) == [(CONTENT,)]
    assert await database.fetch(RECIPIENTS) == [(ANNA, "queued", START, None)]


async def test_a_message_is_kept_with_all_that_its_sender_says_of_it(
    intake: Intake, messages: MessageStore, portal: str
) -> None:
    details = Details(
        message_id="<1@example.com>",
        from_="Ünal <portal@example.com>",
        to=(ANNA,),
        cc=(BORIS,),
        bcc=("c@example.org",),
        reply_to=("d@example.org",),
        subject="Grüße",
        tags=(Tag(name="a", value="b"),),
    )
    fields: dict[str, Any] = {
        "scheduled_at": START + 5,
        "expires_at": START + 9,
        "at_most_once": True,
    }
    message_id = await submit_mail(intake, portal, ANNA, owner=OWNER, details=details, **fields)
    kept = await messages.get(portal, message_id)
    assert kept is not None
    assert (kept.details, kept.owner, kept.accepted_by) == (details, OWNER, BY.name)
    assert (kept.kind, kept.sender, kept.size) == (Kind.MAIL, "portal@example.com", len(CONTENT))
    assert (kept.expires_at, kept.at_most_once, kept.has_body) == (START + 9, True, True)
    (recipient,) = kept.recipients
    assert (recipient.address, recipient.state, recipient.attempts) == (ANNA, State.QUEUED, 0)
    assert (recipient.due_at, recipient.scheduled_at) == (START + 5, START + 5)


async def test_a_scheduled_message_is_due_at_its_moment(
    intake: Intake, database: Database, portal: str
) -> None:
    await submit_mail(intake, portal, scheduled_at=START + 60)
    assert await database.fetch(TURNS, portal) == [("mail", START + 60)]
    await submit_mail(intake, portal, scheduled_at=START - 60)
    assert await database.fetch(TURNS, portal) == [("mail", START - 60)]


async def test_the_worker_is_woken_once_the_message_is_stored(
    intake: Intake, portal: str, woken: list[str]
) -> None:
    await submit_test(intake, portal)
    await submit_mail(intake, portal)
    assert woken == ["woken", "woken"]


async def test_a_recipient_named_twice_gets_the_message_once(
    intake: Intake, database: Database, portal: str
) -> None:
    await submit_mail(intake, portal, BORIS, ANNA, BORIS)
    assert [row[0] for row in await database.fetch(RECIPIENTS)] == [ANNA, BORIS]


async def test_messages_that_come_together_are_accepted_together_or_not_at_all(
    intake: Intake, database: Database, portal: str, woken: list[str]
) -> None:
    good = [submission(intake, ANNA) for _ in range(100)]
    await intake.submit(portal, good, by=BY, owner=OWNER)
    assert await count(database) == 100
    with pytest.raises(Exception, match=r"(?i)unique"):
        await intake.submit(portal, [submission(intake, ANNA), good[0]], by=BY, owner=OWNER)
    empty = submission(intake, envelope=envelope(recipients=()))
    with pytest.raises(NotAcceptableError, match="recipient"):
        await intake.submit(portal, [submission(intake, ANNA), empty], by=BY, owner=OWNER)
    assert await count(database) == 100
    assert len(woken) == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"recipients": ()}, "needs a recipient"),
        ({"recipients": (ANNA,) * (MOST_RECIPIENTS + 1)}, "1000 recipients; this one has 1001"),
        ({"content": bytes(LARGEST_MESSAGE + 1)}, "40 MiB"),
    ],
)
async def test_a_message_beyond_the_limits_is_refused(
    intake: Intake, database: Database, portal: str, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(NotAcceptableError, match=words):
        await submit_mail(intake, portal, envelope=envelope(**fields))
    with pytest.raises(NotAcceptableError, match=words):
        await intake.submit_test(portal, envelope(**fields), revision=REVISION, by=BY)
    assert await count(database) == 0


async def test_a_message_at_the_limits_is_accepted(
    intake: Intake, messages: MessageStore, database: Database, portal: str
) -> None:
    many = tuple(f"{number}@example.org" for number in range(MOST_RECIPIENTS))
    largest = bytes(LARGEST_MESSAGE)
    message_id = await submit_mail(
        intake, portal, envelope=envelope(recipients=many, content=largest)
    )
    assert len(await database.fetch(RECIPIENTS)) == MOST_RECIPIENTS
    assert await messages.content(portal, message_id) == largest


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE messages SET sender = 'other@example.com'",
        "UPDATE message_bodies SET message_id = 'other'",
    ],
)
async def test_an_accepted_message_is_never_changed(
    intake: Intake, database: Database, portal: str, statement: str
) -> None:
    await submit_test(intake, portal)
    with pytest.raises(Exception, match="never changed"):
        await database.transact(executing(statement))


async def test_a_test_is_no_ordinary_message(
    intake: Intake, database: Database, portal: str
) -> None:
    with pytest.raises(Exception, match="constraint"):
        await submit_mail(intake, portal, kind=Kind.TEST)
    assert await count(database) == 0


async def test_while_a_test_runs_there_is_no_other(
    intake: Intake, database: Database, portal: str
) -> None:
    first = await submit_test(intake, portal)
    assert await submit_test(intake, portal) == first
    await put(database, (portal, first), State.SENDING, at=START)
    assert await submit_test(intake, portal, revision=4) == first
    assert await count(database) == 1


async def test_tests_started_at_the_same_moment_are_one(
    intake: Intake, database: Database, portal: str
) -> None:
    started = await asyncio.gather(*(submit_test(intake, portal) for _ in range(50)))
    assert len(set(started)) == 1
    assert await count(database) == 1


async def test_a_test_of_a_neighbour_and_mail_of_ones_own_are_no_hindrance(
    intake: Intake, portal: str, neighbour: str
) -> None:
    ids = {
        await submit_mail(intake, portal),
        await submit_test(intake, neighbour),
        await submit_test(intake, portal),
        await submit_mail(intake, portal),
    }
    assert len(ids) == 4


async def test_after_a_test_has_ended_the_next_begins(
    intake: Intake, messages: MessageStore, database: Database, portal: str
) -> None:
    first = await submit_test(intake, portal)
    await put(database, (portal, first), State.FAILED, at=START, code=Code.LOGIN_REFUSED)
    second = await submit_test(intake, portal)
    assert second != first
    last = await messages.last_test(portal)
    assert last is not None
    assert (last.message_id, last.state, last.attempt) == (second, State.QUEUED, None)


async def test_a_test_that_never_ended_is_no_hindrance_after_forty_seconds(
    intake: Intake, portal: str, clock: HeldClock
) -> None:
    first = await submit_test(intake, portal)
    clock.advance(39.9)
    assert await submit_test(intake, portal) == first
    clock.advance(0.1)
    assert await submit_test(intake, portal) != first


async def test_a_clock_set_back_leaves_no_test_running_for_long(
    intake: Intake, messages: MessageStore, portal: str, clock: HeldClock
) -> None:
    await submit_test(intake, portal)
    clock.jump(-86_400)
    second = await submit_test(intake, portal)
    last = await messages.last_test(portal)
    assert last is not None
    assert last.message_id == second


async def test_a_submit_that_fails_leaves_nothing_and_wakes_nobody(
    intake: Intake, database: Database, woken: list[str]
) -> None:
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        await submit_test(intake, "no such portal")
    for sql in (MESSAGES, BODIES, RECIPIENTS, "SELECT portal_id FROM queue_turns"):
        assert await database.fetch(sql) == []
    assert woken == []


async def test_a_portal_is_due_from_the_moment_that_something_was_accepted(
    intake: Intake, database: Database, portal: str, neighbour: str
) -> None:
    assert await database.fetch(TURNS, portal) == []
    await submit_test(intake, portal)
    assert await database.fetch(TURNS, portal) == [("test", START)]
    await submit_mail(intake, portal, kind=Kind.NOTICE)
    assert await database.fetch(TURNS, portal) == [("notice", START), ("test", START)]
    assert await database.fetch(TURNS, neighbour) == []


async def test_the_same_request_again_gets_the_first_answer_and_sends_nothing(
    intake: Intake, database: Database, portal: str, woken: list[str]
) -> None:
    assert await intake.replay(portal, OWNER, "k", b"d") is None
    assert await submit(intake, portal, asked()) is None
    assert await submit(intake, portal, asked(answer=b"second")) == b"first"
    assert await intake.replay(portal, OWNER, "k", b"d") == b"first"
    assert await count(database) == 1
    assert woken == ["woken"]


async def test_another_request_under_the_same_key_is_refused(
    intake: Intake, database: Database, portal: str
) -> None:
    await submit(intake, portal, asked())
    with pytest.raises(IdempotencyMismatchError, match="another request"):
        await submit(intake, portal, asked(digest=b"other"))
    with pytest.raises(IdempotencyMismatchError):
        await intake.replay(portal, OWNER, "k", b"other")
    assert await count(database) == 1


async def test_a_key_means_something_to_one_portal_and_owner_alone(
    intake: Intake, database: Database, portal: str, neighbour: str
) -> None:
    for whose, owner in ((portal, OWNER), (portal, "key:2"), (portal, None), (neighbour, OWNER)):
        assert await submit(intake, whose, asked(digest=str(owner).encode()), owner=owner) is None
    assert await submit(intake, portal, asked(key="K"), owner=OWNER) is None
    assert await count(database) == 5


async def test_of_a_hundred_equal_requests_at_once_one_sends(
    intake: Intake, database: Database, portal: str
) -> None:
    answers = await asyncio.gather(
        *(submit(intake, portal, asked(answer=b"%d" % number)) for number in range(100))
    )
    assert answers.count(None) == 1
    assert set(answers) == {None, b"%d" % answers.index(None)}
    assert await count(database) == 1


async def test_a_key_of_a_request_that_failed_is_free(
    intake: Intake, database: Database, portal: str
) -> None:
    taken = submission(intake, ANNA)
    await intake.submit(portal, [taken], by=BY, owner=OWNER)
    with pytest.raises(Exception, match=r"(?i)unique"):
        await intake.submit(portal, [taken], by=BY, owner=OWNER, idempotency=asked())
    assert await submit(intake, portal, asked()) is None
    assert await count(database) == 2


async def test_a_disk_that_is_nearly_full_takes_no_message_but_every_outcome(
    tmp_path: Path, clock: HeldClock
) -> None:
    with small_disk(tmp_path, "size=8m") as disk:
        database = open_database("sqlite", disk)
        await migrate(database, clock)
        ids = Ids(clock)
        portals = PortalStore(database, AuditLog(clock, ids), clock, ids)
        portal = (await portals.create_portal("first", BY)).id
        intake = Intake(database, ArrivalStore(database, clock), ids, lambda: None)
        message_id = await submit_mail(intake, portal)
        free = os.statvfs(disk)
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(free.f_bavail * free.f_frsize - 350_000))
        with pytest.raises(StoreFullError, match="Free some space; nothing was lost"):
            await submit_mail(intake, portal)
        with pytest.raises(StoreFullError):
            await submit_test(intake, portal)
        await put(database, (portal, message_id), State.SENT, at=START)
        ballast.unlink()
        await submit_mail(intake, portal)
        with pytest.raises(StoreFullError):
            await submit_mail(intake, portal, envelope=envelope(content=bytes(4_000_000)))
        await database.close()


async def test_what_is_done_beside_is_kept_with_the_messages_or_keeps_them_out(
    database: Database, intake: Intake, portal: str, woken: list[str]
) -> None:
    note = "INSERT INTO hold_notices (portal_id, told_at) VALUES ($1, 1)"
    noted = "SELECT told_at FROM hold_notices WHERE portal_id = $1"

    async def beside(tx: Transaction) -> None:
        await tx.execute(note, portal)

    async def objects(tx: Transaction) -> None:
        await beside(tx)
        raise LookupError

    with pytest.raises(LookupError):
        await intake.submit(portal, [submission(intake, ANNA)], by=BY, owner=None, beside=objects)
    assert await database.fetch(noted, portal) == []
    assert await every_message(MailLog(database), portal) == []
    assert woken == []
    await intake.submit(portal, [submission(intake, ANNA)], by=BY, owner=None, beside=beside)
    assert await database.fetch(noted, portal) == [(1,)]
    assert len(await every_message(MailLog(database), portal)) == 1
