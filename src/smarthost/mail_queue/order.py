"""In which order a portal's outcomes and departures come to the store.

A connection that is done with one message may take the next at once, perhaps of another batch.
Before it is written that a message leaves, each outcome that is known by then has been handed to
the store. Where that writes in the order in which it is handed things no more is needed; where it
writes side by side, the outcome has to be on the disk by then. So however a crash falls, of all
that a connection has carried one outcome at the most is unknown.
"""

import asyncio
from collections import defaultdict

from smarthost.mail_queue.recording import Recording


class Known:
    """An outcome between the relay's answer and the disk."""

    def __init__(self, among: "set[Known]", *, in_order: bool) -> None:
        self._among = among
        self._in_order = in_order
        self._among.add(self)
        self._handed_over = asyncio.Event()
        self._recording: Recording | None = None

    async def hand_over(self, recording: Recording) -> None:
        """Let it be recorded; the store has it when this returns."""
        self._recording = recording
        recording.when_done(self.let_go)
        # What was just begun has its first turn before this goes on.
        await asyncio.sleep(0)
        self._handed_over.set()

    def let_go(self) -> None:
        """Keep nobody waiting any more."""
        self._among.discard(self)
        self._handed_over.set()

    async def is_first(self) -> None:
        """Return when nothing that is handed to the store now can be written before this."""
        await self._handed_over.wait()
        if self._recording is not None and (self._recording.stuck or not self._in_order):
            await self._recording.done()


class Order:
    """Keeps the order of each portal."""

    def __init__(self, *, in_order: bool = True) -> None:
        """`in_order` is the store's."""
        self._in_order = in_order
        self._known: defaultdict[str, set[Known]] = defaultdict(set)

    def known(self, portal_id: str) -> Known:
        """Take notice of an outcome before its connection takes anything else.

        It is to be handed over or let go.
        """
        return Known(self._known[portal_id], in_order=self._in_order)

    async def settle(self, portal_id: str) -> None:
        """Return when all outcomes that are known by now come first."""
        for outcome in list(self._known[portal_id]):
            await outcome.is_first()
        if not self._known[portal_id]:
            del self._known[portal_id]
