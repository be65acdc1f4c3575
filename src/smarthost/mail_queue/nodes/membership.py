"""A node among those that deliver: it says that it is there, and sees who is not any more.

Whether another one lives cannot be known, only whether it has said so lately, by this node's own
monotonic clock: so neither a clock that is wrong nor a server that was away for all of them makes
anybody look dead. Who is taken for dead and is not finds its claims gone before it lets a message
leave. What one node alone is to do, the one does that began first: it takes the mail of those who
are gone, too.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping

import structlog

from smarthost.clock import MICROSECONDS, Clock
from smarthost.database.engine import StoreUnavailableError
from smarthost.mail_queue.nodes.store import NodeStore

SAY_SECONDS = 1.0
"""How often a node says that it is there."""
GONE_SECONDS = 5.0
"""A node that has not said so for this long is gone, and one that could not delivers no more."""
SETTLE_SECONDS = 3.0
"""How long a node that was cut off waits before it claims: so long all others have to write down
what they have carried meanwhile, before anybody ends their leases."""

log = structlog.get_logger("smarthost.mail_queue")

_NEVER = (-1, 0.0)

TakeOver = Callable[[str], Awaitable[int]]
"""Takes the mail of a node that is gone from it; returns how many recipients that were."""


class Membership:
    """The lock of a worker that works beside others: each has one of its own."""

    def __init__(
        self,
        store: NodeStore,
        name: str,
        clock: Clock,
        *,
        take_over: TakeOver,
        leave: Callable[[str], Awaitable[None]],
    ) -> None:
        """`name` is this node's, and comes behind those of nodes that began earlier.

        `leave` lets other nodes have the mail of one that stops.
        """
        self.name = name
        self._store = store
        self._clock = clock
        self._take_over_from = take_over
        self._leave = leave
        self.helps_out = False
        """It delivers only while nobody else does."""
        self._joined = False
        self._writing = asyncio.Lock()
        self._said_at = float("-inf")
        self._begin_at = float("-inf")
        self._seen: dict[str, tuple[int, float]] = {}

    @property
    def is_held(self) -> bool:
        """Whether this node is one of those that deliver."""
        is_time = self._clock.monotonic() >= self._begin_at
        return self._joined and is_time and not self._is_old(self._said_at)

    def is_first(self) -> bool:
        """Whether this node is to do what one alone does."""
        return self.is_held and self.name == min(self._present(), default=None)

    def count(self) -> int:
        """How many nodes deliver, this one included."""
        return max(1, len(self._present()))

    async def take(self) -> bool:
        """Join the others, anew if need be. Raises `StoreUnavailableError`."""
        if self.helps_out and not self._joined and await self._others_deliver():
            return False
        is_new, self._joined = not self._seen, True
        await self.look()
        if is_new:
            log.info("one of the nodes that deliver", node=self.name, nodes=self.count())
        return self.is_held

    async def _others_deliver(self) -> bool:
        now = self._clock.now()
        found = (await self._store.all()).values()
        return any(abs(now - seen_at) < GONE_SECONDS * MICROSECONDS for seen_at in found)

    async def give_up(self) -> None:
        """Leave the others, and this node's mail to them."""
        async with self._writing:
            was_joined, self._joined = self._joined, False
            if not was_joined:
                return
            with contextlib.suppress(StoreUnavailableError):  # then they notice by themselves
                await self._leave(self.name)
                await self._store.leave(self.name)

    async def run(self) -> None:
        """Say that this node is there, and look who is not, until cancelled."""
        # Side by side: to take over may take longer than a node may be silent.
        await asyncio.gather(self._every_second(self.look), self._every_second(self._take_over))

    async def _every_second(self, do: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._clock.sleep(SAY_SECONDS)
            if not self.is_held:
                continue
            try:
                await do()
            except StoreUnavailableError as error:
                log.debug("other nodes not seen", reason=str(error))
            except Exception:
                log.exception("other nodes not seen by a fault of our own")

    async def look(self) -> None:
        """Say that this node is there, and see who is. Raises `StoreUnavailableError`."""
        # One after the other: of two side by side the second would see what the first has seen to.
        async with self._writing:
            asked_at = self._clock.monotonic()
            if self._joined:
                await self._store.say(self.name)
            found = await self._store.all()
            self._see(found, asked_at)

    def _see(self, found: Mapping[str, int], asked_at: float) -> None:
        now = self._clock.monotonic()
        before = self._seen
        if before and self._is_old(self._said_at):
            if now >= self._begin_at:
                log.warning("was cut off from the other nodes", node=self.name)
            self._begin_at = now + SETTLE_SECONDS
            before = {}  # what nobody looked at was perhaps there all the time
        self._said_at = asked_at
        self._seen = {
            name: before[name] if before.get(name, _NEVER)[0] == at else (at, now)
            for name, at in found.items()
        }

    def _present(self) -> list[str]:
        return [name for name, (_, since) in self._seen.items() if not self._is_old(since)]

    def _is_old(self, monotonic: float) -> bool:
        return self._clock.monotonic() - monotonic >= GONE_SECONDS

    async def _take_over(self) -> None:
        if not self.is_first():  # all together would wait for each other at every portal
            return
        present = self._present()
        gone = {name: at for name, (at, _) in self._seen.items() if name not in present}
        for name, seen_at in gone.items():
            count = await self._take_over_from(name)
            await self._store.forget(name, seen_at)
            self._seen.pop(name, None)
            log.warning("a node is gone", node=name, recipients=count)
