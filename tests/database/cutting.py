"""A way to a PostgreSQL server that can be cut at a word: a Unix socket in front of its own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

SOCKET = ".s.PGSQL.5432"


class Way:
    """What goes through; `cut_at` is a statement behind which nothing comes back any more."""

    def __init__(self, server: Path) -> None:
        self._server = server
        self.cut_at: bytes | None = None
        self.open = True
        self.here = ""
        self._writers: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Break every connection off."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        if not self.open:
            writer.transport.abort()
            return
        back, there = await asyncio.open_unix_connection(self._server / SOCKET)
        self._writers.add(there)
        answers = asyncio.create_task(self._answer(back, writer))
        with contextlib.suppress(OSError):
            while octets := await reader.read(65536):
                cutting = self.cut_at is not None and self.cut_at in octets
                if cutting:
                    answers.cancel()
                    # Until it has ended it would take the answer that is waited for here.
                    await asyncio.gather(answers, return_exceptions=True)
                there.write(octets)
                await there.drain()
                if cutting:
                    self.cut_at = None
                    await back.read(1)  # the server has done it
                    break
        answers.cancel()
        writer.transport.abort()
        there.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while octets := await reader.read(65536):
                writer.write(octets)
                await writer.drain()
            writer.close()


@asynccontextmanager
async def way_to(server: Path, folder: Path) -> AsyncIterator[Way]:
    """Give a way to the server with its socket in a folder, from a socket in another one."""
    way = Way(server)
    async with await asyncio.start_unix_server(way.carry, folder / SOCKET):
        yield way
        way.cut()
