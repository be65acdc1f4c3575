"""What a relay reads, octet by octet: whatever is in a message, it stays one message."""

import asyncio
import re
from collections.abc import Sequence
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smarthost.delivery.outcome import Result
from smarthost.mail.envelope import Envelope
from tests.delivery import attempts

PIECES = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b".", b"..", b"\r\n.\r\n", b"\n.\n", b"\r.\r", b"MAIL FROM:<x>", b"x"]
)
CONTENTS = st.lists(PIECES | st.binary(max_size=4), max_size=12).map(b"".join)
EIGHT_BIT = ("8BITMIME", "PIPELINING", "SIZE 100000")
PLAIN = ("8BITMIME",)


class Log(asyncio.Protocol):
    """A relay that says yes and keeps every octet."""

    def __init__(self, keywords: Sequence[str]) -> None:
        self.octets = b""
        self.messages: list[bytes] = []
        self.verbs: list[bytes] = []
        self._keywords = keywords
        self._read = 0
        self._in_message = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._say("220 log")

    def data_received(self, data: bytes) -> None:
        self.octets += data
        while True:
            end = b"\r\n.\r\n" if self._in_message else b"\r\n"
            # The message may be empty: its end then starts with the line end before it.
            found = self.octets.find(end, self._read - 2 * self._in_message)
            if found < 0:
                return
            text, self._read = self.octets[self._read : found], found + len(end)
            self._take(text)

    def _take(self, text: bytes) -> None:
        if self._in_message:
            self._in_message = False
            self.messages.append(text)
            self._say("250 2.0.0 Kept")
            return
        verb = text.split(b" ")[0]
        self.verbs.append(verb)
        self._in_message = verb == b"DATA"
        match verb:
            case b"EHLO":
                lines = ["log", *self._keywords]
                self._say(*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}")
            case b"DATA":
                self._say("354 Go on")
            case _:
                self._say("250 Ok")

    def _say(self, *lines: str) -> None:
        self._transport.write("".join(f"{line}\r\n" for line in lines).encode())


async def sent(contents: Sequence[bytes], keywords: Sequence[str]) -> Log:
    """Send messages over one session, one attempt for each."""
    log = Log(keywords)
    server = await asyncio.get_running_loop().create_server(lambda: log, "127.0.0.1", 0)
    to = attempts.settings(server.sockets[0].getsockname()[1])
    try:
        async with attempts.pool(idle_seconds=60) as connections:
            for content in contents:
                message = Envelope(
                    sender="a@example.com",
                    recipients=("b@example.com",),
                    content=content,
                    needs_smtputf8=False,
                    needs_8bit=not content.isascii(),
                )
                [outcome] = await attempts.attempted(to, message, connections=connections)
                assert outcome.result is Result.ACCEPTED
    finally:
        server.close()
    return log


@pytest.mark.parametrize("keywords", [EIGHT_BIT, PLAIN])
@given(contents=st.lists(CONTENTS, min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_no_bare_cr_or_lf_leaves_and_one_message_stays_one(
    keywords: Sequence[str], contents: list[bytes]
) -> None:
    with asyncio.Runner() as runner:
        log = runner.run(sent(contents, keywords))

    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", log.octets)
    assert len(log.messages) == len(contents)
    assert log.verbs == [b"EHLO", *[b"MAIL", b"RCPT", b"DATA"] * len(contents), b"QUIT"]
    for message, content in zip(log.messages, contents, strict=True):
        lines = [line.removeprefix(b".") for line in message.split(b"\r\n")]
        assert lines == _lines(content)


def _lines(content: bytes) -> list[bytes]:
    """Read a message as the most lenient server would."""
    lines = re.split(rb"\r\n|\r|\n", content)
    return lines[:-1] if len(lines) > 1 and not lines[-1] else lines
