"""What a worker has of the others: common counters, their metrics, and the one that delivers."""

import asyncio
import contextlib
import socket
from collections.abc import Mapping, Sequence
from operator import itemgetter

import msgspec
import structlog

from smarthost.app.parts import Parts
from smarthost.app.processes.inboxes import Inboxes
from smarthost.metrics.families import Family, decode, encode
from smarthost.tally import Tallies

log = structlog.get_logger("smarthost.app")

ANSWER_SECONDS = 1.0
"""For how long another process is waited for."""

_DELIVERING = 1
_OCTETS = 1 << 16


class WorkersCrew:
    """All workers, as the one with this `number` sees them. Belongs to its event loop."""

    def __init__(self, number: int, inboxes: Inboxes, tallies: Tallies, parts: Parts) -> None:
        self._number = number
        self._inboxes = inboxes
        self._tallies = tallies
        self._parts = parts
        self._answering: set[asyncio.Task[None]] = set()

    @property
    def tallies(self) -> Tallies:
        """The counters that all share."""
        return self._tallies

    def join(self, *, wake_first: bool) -> None:
        """Read the inbox from now on; with `wake_first` the first worker delivers for this one."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._inboxes.fileno(self._number), self._read)
        if wake_first:
            self._parts.delivery.deliver_elsewhere(self._wake)

    async def leave(self) -> None:
        """Read the inbox no more."""
        asyncio.get_running_loop().remove_reader(self._inboxes.fileno(self._number))
        if self._answering:
            await asyncio.wait(self._answering)

    async def families(self) -> Mapping[int, Sequence[Family]]:
        """Return what each worker has counted; one that does not answer is left out."""
        numbers = [one for one in range(1, len(self._inboxes) + 1) if one != self._number]
        answers = await asyncio.gather(*map(self._ask, numbers))
        own = (self._number, self._parts.metrics.families())
        found = [own, *zip(numbers, answers, strict=True)]
        return {number: told for number, told in sorted(found, key=itemgetter(0)) if told}

    def _wake(self) -> None:
        self._inboxes.wake(_DELIVERING)

    def _read(self) -> None:
        self._inboxes.read(self._number, self._parts.delivery.wake, self._asked)

    def _asked(self, line: socket.socket) -> None:
        task = asyncio.create_task(self._answer(line))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, line: socket.socket) -> None:
        line.setblocking(False)
        with line, contextlib.suppress(OSError):  # who asked may wait no more
            async with asyncio.timeout(ANSWER_SECONDS):
                # Thousands of series take some time to collect.
                told = await asyncio.to_thread(self._told)
                await asyncio.get_running_loop().sock_sendall(line, told)

    def _told(self) -> bytes:
        return encode(self._parts.metrics.families())

    async def _ask(self, number: int) -> list[Family] | None:
        loop = asyncio.get_running_loop()
        parts = []
        try:
            with self._inboxes.ask(number) as line:
                async with asyncio.timeout(ANSWER_SECONDS):
                    while part := await loop.sock_recv(line, _OCTETS):
                        parts.append(part)
            return decode(b"".join(parts))
        except (OSError, msgspec.DecodeError):
            log.warning("metrics of another worker left out", worker=number)
            return None
