"""Whose mail is next: portals with something due, one after the other, round and round.

Where it stands is remembered from one look to the next, so that a portal with 100,000 messages
has its turn and then waits for everybody else's. Nodes that look at the same time read the same,
and each goes through it in an order of its own: all would ask for the same portal otherwise.
"""

import zlib
from collections import deque

from smarthost.mail_queue.model import Kind
from smarthost.mail_queue.store import QueueStore
from smarthost.mail_queue.turns.store import BEFORE_ALL, Turn

PAGE = 1_000
"""How many portals are read at a time."""


class Ring:
    """Goes round the portals that have mail due."""

    def __init__(self, store: QueueStore) -> None:
        self._store = store
        self._page: deque[Turn] = deque()
        self._after = BEFORE_ALL

    async def next(self) -> str | None:
        """Return the portal that comes next, None if none has anything due.

        Raises `StoreUnavailableError`.
        """
        if not self._page:
            await self._read()
        return self._page.popleft().portal_id if self._page else None

    async def _read(self) -> None:
        turns = await self._store.due_turns(Kind.MAIL, after=self._after, at_most=PAGE)
        if not turns and self._after != BEFORE_ALL:
            self._after = BEFORE_ALL
            turns = await self._store.due_turns(Kind.MAIL, at_most=PAGE)
        # What has come to be due meanwhile is found in the next round.
        self._after = turns[-1] if len(turns) == PAGE else BEFORE_ALL
        self._page.extend(turns if self._store.node is None else sorted(turns, key=self._place))

    def _place(self, turn: Turn) -> int:
        return zlib.crc32(f"{self._store.node} {turn.portal_id}".encode())
