"""Real mail through relays that misbehave: nothing is lost, nothing is made up, and our record of
what was tried is the relay's own, line by line.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from email import message_from_bytes
from email.policy import default
from functools import partial
from pathlib import Path
from typing import cast

import pytest
import trustme

from smarthost.clock import SystemClock
from smarthost.delivery.outcome import Result
from smarthost.mail.envelope import Envelope
from smarthost.mail_queue.accepted.model import RecipientStatus
from smarthost.mail_queue.model import Attempted, State
from tests.authority import trust_everywhere
from tests.hostile_relays.honest import NOTHING, Relay
from tests.hostile_relays.installation import Attempts, Mail, installation
from tests.hostile_relays.ledger import (
    TAKEN,
    UNANSWERED,
    agree,
    messages_taken,
    our_lines,
    relays_lines,
)
from tests.hostile_relays.mail_relays import RefusesAllRecipients
from tests.hostile_relays.mail_table import MAIL_TABLE, MailRow
from tests.hostile_relays.quick import LoopClock, QuickLoop

MESSAGES = 20


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(autouse=True)
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trust_everywhere(authority, tmp_path, monkeypatch)


def letters(row: MailRow) -> list[Envelope]:
    """Make messages that each have a sender, recipients and words of their own."""
    return [_letter(row, f"{number:02}") for number in range(MESSAGES)]


def _letter(row: MailRow, number: str) -> Envelope:
    sender = ("s\u00e9nder" if row.utf8 else "sender") + f"{number}@example.com"
    text = "Gr\u00fc\u00dfe" if row.eight_bit else "Greetings"
    encoding = "8bit" if row.eight_bit else "7bit"
    content = (
        f"From: Sender <sender@example.com>\r\nSubject: Letter {number}\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n{text} {number}\r\n.\r\nThe end\r\n"
    ).encode()
    return Envelope(
        sender=sender,
        recipients=tuple(f"{name}{number}@example.org" for name in row.recipients),
        content=content,
        needs_smtputf8=row.utf8,
        needs_8bit=row.eight_bit,
    )


class Record:
    """What we know of it in the end."""

    def __init__(
        self,
        mail: Sequence[tuple[str, RecipientStatus]],
        attempts: Sequence[tuple[str, Attempted]],
    ) -> None:
        self.mail = mail
        self.attempts = attempts


def shows(row: MailRow, mail: Mail, attempts: Attempts) -> bool:
    """Say whether the relay was seen to misbehave, and has refused those whom it will.

    Time is quick here, so that a busy machine can fail a try for reasons of its own.
    """
    if row.code is None:
        return all(one.state is State.SENT for _, one in mail)
    ends = [one.ended_at for _, one in mail if one.address.startswith(tuple(row.refused))]
    return None not in ends and any(row.describes(one) for _, one in attempts)


async def sent(
    hostile: Relay, honest: Relay, row: MailRow, mail: Sequence[Envelope], folder: Path
) -> Record:
    """Send through a relay that misbehaves, and what is left through one that does not."""
    clock = LoopClock(SystemClock().now())
    async with installation(folder, clock) as portal:
        async with hostile.running():
            await portal.save(hostile)
            await portal.submit(mail)
            await portal.comes_to(partial(shows, row))
            async with honest.running():
                await portal.save(honest)
                await portal.all_has_ended()
        return Record(await portal.mail(), await portal.mail_attempts())


@pytest.mark.parametrize("row", MAIL_TABLE, ids=lambda row: row.name)
def test_mail_is_neither_lost_nor_made_up(
    row: MailRow, authority: trustme.CA, tmp_path: Path
) -> None:
    hostile, honest, mail = row.relay(authority), Relay(authority), letters(row)
    honest.extensions = ("8BITMIME", "SMTPUTF8", "PIPELINING")
    with asyncio.Runner(loop_factory=partial(QuickLoop, row.quickly)) as runner:
        record = runner.run(sent(hostile, honest, row, mail, tmp_path / "data"))

    check_expected(row, record)
    check_lines(row, record, hostile, honest)
    check_ends(row, record)
    check_arrived(row, record, mail, hostile, honest)


def check_expected(row: MailRow, record: Record) -> None:
    """The misbehaviour is called by its name."""
    failed = [one for _, one in record.attempts if one.result is not Result.ACCEPTED]
    if row.code is not None:
        assert any(map(row.describes, failed)), [(one.step, one.code, one.reply) for one in failed]
    if not row.unsure and not row.in_doubt:
        assert not any(one.in_doubt for one in failed)


def check_lines(row: MailRow, record: Record, hostile: Relay, honest: Relay) -> None:
    """Line by line our record is that of the relays."""
    ours = our_lines(record.attempts)
    relays = relays_lines([*hostile.turns, *honest.turns])
    for sender, one in record.mail:
        key = sender, one.address
        found = ours.get(key, []), relays.get(key, [])
        assert agree(*found, unsure=row.unsure), (key, found)


def check_ends(row: MailRow, record: Record) -> None:
    """Each recipient has ended: by a relay's yes, or by its final no."""
    ours = our_lines(record.attempts)
    for sender, one in record.mail:
        is_refused = one.address.startswith(tuple(row.refused))
        assert one.state is (State.FAILED if is_refused else State.SENT), one
        lines = ours.get((sender, one.address), [])
        assert lines.count(TAKEN) == (not is_refused)
        assert lines[-1:] == [TAKEN] or is_refused
        assert one.in_doubt is (UNANSWERED in lines)
    if row.in_doubt:
        assert any(one.in_doubt for _, one in record.mail)


def check_arrived(
    row: MailRow, record: Record, mail: Sequence[Envelope], hostile: Relay, honest: Relay
) -> None:
    """Everything arrived whole, and twice only where nobody could know that it had."""
    taken = messages_taken([*hostile.turns, *honest.turns])
    if row.relay is RefusesAllRecipients:
        assert set(hostile.messages) == {NOTHING}
    written = {envelope.sender: envelope.content for envelope in mail}
    assert {sender for sender, _ in taken} == {
        sender for sender, one in record.mail if one.state is State.SENT
    }
    for sender, message in taken:
        assert b"\n" not in message.replace(b"\r\n", b"")
        assert _text(_unstuffed(message)) == _text(written[sender])
        if not row.eight_bit:
            assert _unstuffed(message) == written[sender]
        else:
            assert message.isascii()
    doubtful = {sender for sender, one in record.mail if one.in_doubt}
    tries = len(row.recipients)
    for sender, count in Counter(sender for sender, _ in taken).items():
        assert count <= tries or sender in doubtful


def _unstuffed(message: bytes) -> bytes:
    lines = message.removesuffix(b".\r\n").split(b"\r\n")
    return b"\r\n".join(line.removeprefix(b".") for line in lines)


def _text(message: bytes) -> str:
    return cast("str", message_from_bytes(message, policy=default).get_content())


def test_every_hostile_relay_is_in_the_table() -> None:
    assert {row.threat for row in MAIL_TABLE} == {f"H{number:02}" for number in range(1, 35)}
