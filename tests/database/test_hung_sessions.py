"""Sessions of processes that hang in the middle of a statement."""

import asyncio
import struct
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from smarthost.database.engine import Transaction
from smarthost.database.hung_sessions import end_hung_sessions, end_sessions_of
from smarthost.database.postgresql import PostgresqlDatabase
from smarthost.secret import Secret
from tests.database.cutting import SOCKET
from tests.engines import make_database

pytestmark = pytest.mark.needs("postgres")

HANGING = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'
AND wait_event = 'ClientRead'"""


def message(kind: bytes, *parts: bytes) -> bytes:
    """As PostgreSQL's protocol 3.0 frames it."""
    body = b"".join(part + b"\0" for part in parts)
    if kind == b"P":  # the name of the statement, its text, and no types
        body += struct.pack("!H", 0)
    return kind + struct.pack("!I", len(body) + 4) + body


async def hang(url: str) -> asyncio.StreamWriter:
    """Begin a transaction, have a statement prepared as the driver does it, and go no further."""
    parts = urlsplit(url)
    folder = Path(parse_qs(parts.query)["host"][0])
    reader, writer = await asyncio.open_unix_connection(folder / SOCKET)
    database, user = parts.path.removeprefix("/").encode(), (parts.username or "").encode()
    named = (b"user", user, b"database", database, b"application_name", b"smarthost", b"")
    start = struct.pack("!I", 196608) + b"\0".join(named) + b"\0"
    writer.write(struct.pack("!I", len(start) + 4) + start)
    await reader.readuntil(b"Z\0\0\0\x05I")
    writer.write(message(b"Q", b"BEGIN"))
    await reader.readuntil(b"Z\0\0\0\x05T")
    writer.write(message(b"P", b"", b"SELECT 1") + message(b"H"))
    await reader.readuntil(b"1\0\0\0\x04")
    return writer


async def test_a_session_that_hangs_behind_a_prepared_statement_is_ended(tmp_path: Path) -> None:
    url = make_database(tmp_path)
    database = PostgresqlDatabase(Secret(url))
    writer = await hang(url)
    assert await database.fetch(HANGING) == [(1,)]
    assert await end_hung_sessions(database) == 0, "it may still go on"
    async with asyncio.timeout(10):
        while not await end_hung_sessions(database, 0.05):  # noqa: ASYNC110 - the server's clock
            await asyncio.sleep(0.01)
        while await database.fetch(HANGING) != [(0,)]:  # noqa: ASYNC110 - the server's doing
            await asyncio.sleep(0.01)
    writer.close()
    await database.close()


async def test_a_node_that_is_gone_keeps_nothing_locked_and_nobody_elses_session_ends(
    tmp_path: Path,
) -> None:
    url = Secret(make_database(tmp_path))
    gone, waiting, other = (PostgresqlDatabase(url) for _ in range(3))
    gone.name_sessions("node 1")
    waiting.name_sessions("node 10")
    locked, go_on = asyncio.Event(), asyncio.Event()

    async def hang(tx: Transaction) -> None:
        await tx.lock("portal")
        locked.set()
        await go_on.wait()
        await tx.fetch("SELECT 1")

    async def take(tx: Transaction) -> None:
        await tx.lock("portal")

    hanging = asyncio.create_task(gone.transact(hang))
    async with asyncio.timeout(4):  # before the server ends what is idle
        await locked.wait()
        taking = asyncio.create_task(waiting.transact(take))
        assert await end_sessions_of(other, "node 1") == 1
        await taking
    go_on.set()
    await hanging  # in a session of its own, anew
    for database in (gone, waiting, other):
        await database.close()
