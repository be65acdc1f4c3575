"""SMTP smuggling (T08): whatever nearly ends a message at the open port, one comes or none."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.submission.served import CONTENT, MAIL, RCPT, SENDER, Client, Service, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENDS = {"CRLF": b"\r\n", "LF": b"\n", "CR": b"\r", "NUL": b"\r\0\n"}
SMUGGLED = (
    f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<eve@example.org>\r\nDATA\r\n"
    f"From: {SENDER}\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"
).encode()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    async with serving(tmp_path_factory.mktemp("service")) as opened:
        yield opened


def whole(first: bytes, end: bytes, second: bytes) -> list[bytes]:
    return [first + end + second]


def octet_by_octet(first: bytes, end: bytes, second: bytes) -> list[bytes]:
    return [first, *(end[at : at + 1] for at in range(len(end))), second]


def before_the_dot(first: bytes, end: bytes, second: bytes) -> list[bytes]:
    before, dot, after = end.partition(b".")
    return [first + before, dot + after + second]


def behind_the_dot(first: bytes, end: bytes, second: bytes) -> list[bytes]:
    before, dot, after = end.partition(b".")
    return [first + before + dot, after + second]


SPLITS = (whole, octet_by_octet, before_the_dot, behind_the_dot)
VARIANTS = list(itertools.product(ENDS, ENDS, SPLITS))


async def begun(client: Client) -> None:
    assert (await client.ask(MAIL, RCPT, b"DATA\r\n")).startswith("354 ")


@pytest.mark.parametrize(
    ("before", "behind", "split"),
    VARIANTS,
    ids=[f"{before}.{behind} {split.__name__}" for before, behind, split in VARIANTS],
)
async def test_a_near_end_makes_no_second_message(
    service: Service, before: str, behind: str, split: object
) -> None:
    known = len(await service.messages())
    end = ENDS[before] + b"." + ENDS[behind]
    pieces = next(one for one in SPLITS if one is split)(CONTENT[:-2], end, SMUGGLED)
    async with service.logged_in() as client:
        await begun(client)
        for piece in pieces:
            client.send(piece)
            await client.writer.drain()
            await asyncio.sleep(0)
        client.writer.write_eof()
        told = await client.rest()

    came = len(await service.messages()) - known
    if before == behind == "CRLF":
        # The one true end: behind it are commands, and DATA with its message behind it is none.
        assert told.splitlines()[0].startswith("250 2.0.0 Ok: queued")
        assert "554 5.5.0 The message came before the 354" in told
        assert came == 1
    else:
        assert told.startswith("554 5.6.0 ")
        assert told.count("\r\n") == 1
        assert came == 0


@pytest.mark.parametrize("octets", [b"\n", b"\r", b"\0", b"\n.\n", b"\r\n\r.\r\r\n"])
async def test_nothing_but_crlf_ends_a_line_anywhere_in_a_message(
    service: Service, octets: bytes
) -> None:
    for at in (0, 5, len(CONTENT) // 2, len(CONTENT) - 2):
        async with service.logged_in() as client:
            await begun(client)
            client.send(CONTENT[:at] + octets + CONTENT[at:] + b".\r\n")
            assert (await client.rest()).startswith("554 5.6.0 ")
