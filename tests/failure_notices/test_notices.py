"""Notices on their way into the queue: what they say, to whom, and how often."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from smarthost.database.engine import Database, StoreUnavailableError
from smarthost.delivery.outcome import Code, Step
from smarthost.failure_notices.notices import LOOK_SECONDS
from smarthost.mail.dsn import Dsn, Notify, RecipientDsn, Return
from smarthost.mail_queue.mail_log.log import MailLog
from smarthost.mail_queue.model import Kind
from smarthost.smtp_settings.model import SmtpSettings
from tests.engines import executing, open_database
from tests.failure_notices.world import (
    CONTENT,
    DEFAULT,
    DEFERRED,
    DETAILS,
    OWNER,
    REFUSED,
    SENDER,
    SENT,
    World,
    fields,
    words,
)
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.listed import every_message
from tests.mail_queue.messages import ANNA, BORIS, BY
from tests.mail_queue.scripted import Faltering, until

DROP_BODY = "DELETE FROM message_bodies WHERE portal_id = $1"
SUCCESS = RecipientDsn(notify=frozenset({Notify.SUCCESS, Notify.FAILURE}))


async def test_a_failure_comes_back_to_the_sender(world: World) -> None:
    dsn = Dsn(
        envelope_id="order 17",
        recipients={ANNA: RecipientDsn(original_recipient="rfc822;old@example.org")},
    )
    await world.accept(ANNA, dsn=dsn)
    await world.attempt(**REFUSED)
    (notice,) = await world.sent_notices()
    assert notice["From"] == "Mail delivery <notify@acme.example>"
    assert notice["To"] == SENDER
    assert notice["Subject"] == f"Not delivered to {ANNA}"
    assert notice["Auto-Submitted"] == "auto-replied"
    assert notice["In-Reply-To"] == "<1@acme.example>"
    assert "550 5.1.1 No such user" in words(notice)
    of_message, of_anna = fields(notice)
    assert of_message["Original-Envelope-Id"] == "order 17"
    assert of_message["Reporting-MTA"] == "dns; smarthost.example.net"
    assert of_anna["Original-Recipient"] == "rfc822; old@example.org"
    assert of_anna["Final-Recipient"] == f"rfc822; {ANNA}"
    assert (of_anna["Action"], of_anna["Status"]) == ("failed", "5.1.1")
    assert of_anna["Remote-MTA"] == "dns; mail.acme.example"
    assert of_anna["Diagnostic-Code"] == "smtp; 550 5.1.1 No such user"


async def test_a_notice_is_mail_of_the_same_owner_from_nobody(
    world: World, clock: HeldClock
) -> None:
    await world.accept(ANNA)
    await world.attempt(**REFUSED)
    clock.advance(1.0)
    await world.notices.send_round()
    notice = (await every_message(MailLog(world.database), world.portal_id, owner=OWNER))[0]
    assert (notice.sender, notice.kind, notice.accepted_by) == ("", Kind.MAIL, "smarthost")
    assert [one.address for one in notice.recipients] == [SENDER]
    assert notice.details.subject == f"Not delivered to {ANNA}"
    envelope = await world.queue.envelope(await world.claimed())
    assert envelope.dsn is None
    assert envelope.content.isascii()


async def test_a_notice_that_fails_leads_to_no_notice(world: World) -> None:
    await world.accept(ANNA)
    await world.attempt(**REFUSED)
    assert len(await world.sent_notices()) == 1
    await world.attempt(**REFUSED)
    assert await world.rows() == []
    assert len(await world.sent_notices()) == 1


async def test_recipients_that_fail_together_are_in_one_notice(world: World) -> None:
    await world.accept(ANNA, BORIS)
    await world.attempt(**REFUSED)
    (notice,) = await world.sent_notices()
    assert notice["Subject"] == "Not delivered to 2 recipients"
    assert [one["Final-Recipient"] for one in fields(notice)[1:]] == [
        f"rfc822; {ANNA}",
        f"rfc822; {BORIS}",
    ]


async def test_messages_have_notices_of_their_own(world: World) -> None:
    for _ in range(45):  # more than are sent in a row
        await world.accept(ANNA)
        await world.attempt(**REFUSED)
    assert len(await world.sent_notices()) == 45
    assert await world.rows() == []


async def test_no_portal_waits_for_anothers_many_notices(
    world: World, database: Database, clock: HeldClock
) -> None:
    other = World(database, clock)
    await other.begin(name="other")
    first, second = sorted((world, other), key=lambda one: one.portal_id)
    for of in [first] * 30 + [second]:
        await of.accept(ANNA)
        await of.attempt(**REFUSED)
    assert await world.notices.send_round() is True
    assert (len(await first.kept_notices()), len(await second.kept_notices())) == (20, 1)
    assert await world.notices.send_round() is False
    assert (len(await first.kept_notices()), len(await second.kept_notices())) == (30, 1)


async def test_what_ran_out_of_time_says_how_often_it_was_tried(
    world: World, clock: HeldClock
) -> None:
    await world.accept(ANNA)
    for _ in range(8):
        await world.attempt(**DEFERRED)
        clock.advance(5 * 3600.0)
    (notice,) = await world.sent_notices()
    assert "(8 tries)" in words(notice)
    assert "450 4.2.0 Greylisted" in words(notice)
    assert fields(notice)[1]["Status"] == "4.2.0"


async def test_success_that_the_relay_does_not_tell_is_told_as_relayed(world: World) -> None:
    await world.accept(ANNA, dsn=Dsn(recipients={ANNA: SUCCESS}))
    await world.attempt(**SENT, relayed_untold=True)
    (notice,) = await world.sent_notices()
    assert notice["Subject"] == f"Passed on for {ANNA}"
    _, of_anna = fields(notice)
    assert (of_anna["Action"], of_anna["Status"]) == ("relayed", "2.0.0")


@pytest.mark.parametrize(
    ("ret", "octets", "media_type"),
    [
        (None, 0, "text/rfc822-headers"),
        (Return.HEADERS, 0, "text/rfc822-headers"),
        (Return.FULL, 0, "message/rfc822"),
        (Return.FULL, 70_000, "text/rfc822-headers"),
    ],
)
async def test_of_the_message_comes_back_what_the_sender_asked_for(
    world: World, ret: Return | None, octets: int, media_type: str
) -> None:
    content = CONTENT + b"x\r\n" * (octets // 3)
    await world.accept(ANNA, dsn=Dsn(ret=ret), content=content)
    await world.attempt(**REFUSED)
    (notice,) = await world.sent_notices()
    assert list(notice.iter_parts())[2].get_content_type() == media_type


async def test_without_the_content_the_notice_goes_all_the_same(world: World) -> None:
    await world.accept(ANNA)
    await world.attempt(**REFUSED)
    await world.database.transact(executing(DROP_BODY, world.portal_id))
    (notice,) = await world.sent_notices()
    assert notice["In-Reply-To"] == DETAILS.message_id
    assert "Subject:  Hello" in words(notice)
    assert len(list(notice.iter_parts())) == 2


@pytest.mark.parametrize("shown", [None, DEFAULT], ids=["hidden", "shown"])
async def test_the_default_relay_shows_as_the_operator_wants(
    database: Database, clock: HeldClock, shown: SmtpSettings | None
) -> None:
    world = World(database, clock, default=DEFAULT, shown_default=shown)
    await world.begin(own_relay=False)
    await world.accept(ANNA)
    outcome = REFUSED | {"reply": f"550 5.1.1 {DEFAULT.host} says no"}
    await world.attempt(default_relay=True, **outcome)
    (notice,) = await world.sent_notices()
    assert notice["From"] == "Mail delivery <portal@operator.example>"
    assert (DEFAULT.host in notice.as_string()) is (shown is not None)
    assert ("550 5.1.1" in notice.as_string()) is (shown is not None)
    assert fields(notice)[1]["Status"] == ("5.1.0" if shown is None else "5.1.1")


async def test_without_a_relay_the_notice_is_from_the_senders_own_address(
    database: Database, clock: HeldClock
) -> None:
    world = World(database, clock)
    await world.begin(own_relay=False)
    await world.accept(ANNA)
    await world.attempt(**REFUSED)
    (notice,) = await world.sent_notices()
    assert notice["From"] == f"Mail delivery <{SENDER}>"


async def test_addresses_beyond_ascii_are_told_of(world: World) -> None:
    await world.accept("jörg@example.org", sender="jürgen@acme.example")
    await world.attempt(**REFUSED)
    (notice,) = await world.sent_notices()
    assert fields(notice)[1]["Final-Recipient"] == r"utf-8; j\x{F6}rg@example.org"
    claim = await world.claimed()
    assert (await world.queue.envelope(claim)).needs_smtputf8


async def test_what_a_person_has_tried_again_is_told_when_it_fails_again(world: World) -> None:
    message_id = await world.accept(ANNA)
    await world.attempt(**REFUSED)
    await world.messages.retry(world.portal_id, message_id, by=BY)
    assert await world.sent_notices() == []
    assert await world.rows() == []
    await world.attempt(**REFUSED)
    assert len(await world.sent_notices()) == 1


async def test_what_another_process_has_told_is_not_told_again(
    world: World, database: Database, engine: str, tmp_path: Path, clock: HeldClock
) -> None:
    await world.accept(ANNA, BORIS)
    await world.attempt(**REFUSED)
    beyond = open_database(engine, tmp_path)
    try:
        other = World(beyond, clock)
        await asyncio.gather(world.notices.send_round(), other.notices.send_round())
    finally:
        await beyond.close()
    assert len(await world.kept_notices()) == 1
    assert await world.rows() == []


async def test_a_store_that_takes_nothing_loses_no_notice(
    database: Database, clock: HeldClock
) -> None:
    faltering = Faltering(database)
    world = World(faltering, clock)
    await world.begin()
    await world.accept(ANNA)
    await world.attempt(**REFUSED)
    faltering.full = True
    with pytest.raises(StoreUnavailableError):
        await world.notices.send_round()
    faltering.full = False
    assert len(await world.sent_notices()) == 1


async def test_a_message_that_cannot_be_told_of_keeps_no_other_back(
    world: World, database: Database
) -> None:
    spoiled = await world.accept(ANNA, sender="no address")
    await world.attempt(**REFUSED)
    await world.accept(BORIS)
    await world.attempt(**REFUSED)
    assert len(await world.sent_notices()) == 1
    assert await world.rows() == [(spoiled, ANNA)]


async def test_only_the_process_that_delivers_tells(database: Database, clock: HeldClock) -> None:
    ours = [False]
    world = World(database, clock, is_ours=lambda: ours[0])
    await world.begin()
    await world.accept(ANNA)
    await world.attempt(**REFUSED)
    running = asyncio.create_task(world.notices.run())
    await until(clock.is_slept_on)
    assert await world.kept_notices() == []
    ours[0] = True
    clock.advance(LOOK_SECONDS)

    async def is_told() -> bool:
        return len(await world.kept_notices()) == 1

    await until(is_told)
    running.cancel()
    await asyncio.wait({running})


@pytest.mark.parametrize("code", list(Code))
async def test_each_failure_has_a_notice(world: World, code: Code) -> None:
    await world.accept(ANNA)
    outcome: dict[str, Any] = {"step": Step.DATA, "code": code, "reply": None}
    await world.attempt(**REFUSED | outcome)
    (notice,) = await world.sent_notices()
    assert fields(notice)[1]["Status"].startswith("5.")
