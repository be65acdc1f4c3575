"""A recipient that the relay refuses, and what its sender gets through the same queue."""

from pathlib import Path

import pytest

from smarthost.mail.dsn import Dsn, Notify, RecipientDsn
from smarthost.mail_queue.model import State
from tests.failure_notices.installation import installation
from tests.failure_notices.world import fields, read
from tests.smtp.relays import Peer, relay

SENDER, ANNA, BORIS = "carla@acme.example", "anna@example.org", "boris@example.org"
FROM = "notify@acme.example"
CONTENT = (
    b"From: carla@acme.example\r\nSubject: Hello\r\nMessage-ID: <1@acme.example>\r\n\r\nHello\r\n"
)


class Choosy:
    """A relay that refuses some recipients; keeps the paths and the octets of the rest."""

    def __init__(self, *refused: str) -> None:
        self.mail: list[tuple[str, str]] = []
        self.messages: list[bytes] = []
        self._refused = refused

    async def __call__(self, peer: Peer) -> None:
        await peer.greet()
        while (line := await peer.hear()) != "QUIT":
            if line.startswith("MAIL FROM:"):
                sender, taken = line.removeprefix("MAIL FROM:"), False
                await peer.say("250 2.1.0 Ok")
            elif line.startswith("RCPT TO:"):
                refused = any(f"<{one}>" in line for one in self._refused)
                self.mail.append((sender, line.removeprefix("RCPT TO:")))
                taken |= not refused
                await peer.say("550 5.1.1 No such user" if refused else "250 2.1.5 Ok")
            elif line == "DATA" and taken:
                await peer.say("354 Go on")
                self.messages.append((await peer.hear_message()).removesuffix(b".\r\n"))
                await peer.say("250 2.0.0 Kept")
            else:
                assert line == "RSET", line
                await peer.say("250 2.0.0 Ok")
        await peer.say("221 2.0.0 Bye")


async def test_a_refused_recipient_comes_back_to_the_sender(tmp_path: Path) -> None:
    script = Choosy(ANNA)
    async with (
        relay(script) as running,
        installation(tmp_path, running.port, FROM) as smarthost,
    ):
        await smarthost.submit(
            SENDER, ANNA, BORIS, content=CONTENT, dsn=Dsn(), message_id="<1@acme.example>"
        )
        await smarthost.come_to(State.SENT, State.FAILED)
        notice, original = await smarthost.listed()
    assert (notice.owner, notice.accepted_by) == (original.owner, "smarthost")
    assert script.mail == [
        (f"<{SENDER}>", f"<{ANNA}>"),
        (f"<{SENDER}>", f"<{BORIS}>"),
        ("<>", f"<{SENDER}>"),
    ]
    sent, returned = script.messages
    assert sent == CONTENT
    report = read(returned)
    assert report["From"] == f"Mail delivery <{FROM}>"
    assert report["In-Reply-To"] == "<1@acme.example>"
    of_message, of_anna = fields(report)
    assert of_message["Reporting-MTA"] == "dns; smarthost.test"
    assert (of_anna["Final-Recipient"], of_anna["Status"]) == (f"rfc822; {ANNA}", "5.1.1")


async def test_a_notice_that_is_refused_ends_there(tmp_path: Path) -> None:
    script = Choosy(ANNA, SENDER)
    async with (
        relay(script) as running,
        installation(tmp_path, running.port, FROM) as smarthost,
    ):
        await smarthost.submit(SENDER, ANNA, content=CONTENT, dsn=Dsn())
        await smarthost.come_to(State.FAILED, State.FAILED)
        # What is told of next was looked for after the first notice had failed.
        await smarthost.submit(SENDER, ANNA, content=CONTENT, dsn=Dsn())
        await smarthost.come_to(*[State.FAILED] * 4)
    assert script.messages == []
    assert sorted(script.mail) == sorted([("<>", f"<{SENDER}>"), (f"<{SENDER}>", f"<{ANNA}>")] * 2)


@pytest.mark.parametrize(
    ("notify", "subject"),
    [(Notify.NEVER, None), (Notify.SUCCESS, "Passed on for boris@example.org")],
)
async def test_the_sender_gets_what_it_asked_for(
    tmp_path: Path, notify: Notify, subject: str | None
) -> None:
    script = Choosy(ANNA)
    asked = RecipientDsn(notify=frozenset({notify}))
    dsn = Dsn(recipients={ANNA: asked, BORIS: asked})
    async with (
        relay(script) as running,
        installation(tmp_path, running.port, FROM) as smarthost,
    ):
        await smarthost.submit(SENDER, ANNA, BORIS, content=CONTENT, dsn=dsn)
        await smarthost.come_to(*([State.SENT] if subject else []), State.FAILED)
    notices = [read(octets)["Subject"] for octets in script.messages[1:]]
    assert notices == ([subject] if subject else [])
