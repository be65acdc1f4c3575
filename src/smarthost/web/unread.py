"""Ends connections whose clients have stopped reading what they asked for.

The buffers towards such a client are full, and the answer, the work behind it and the connection
would wait for as long as it likes. One that reads slowly is let alone.
"""

import asyncio


class UnreadWatch:
    """Watches one connection while its buffer is full."""

    def __init__(self, transport: asyncio.Transport, seconds: float) -> None:
        """Take how long a client may go without reading anything."""
        self._transport = transport
        self._seconds = seconds
        self._next: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Watch from now on."""
        unread = self._transport.get_write_buffer_size()
        loop = asyncio.get_running_loop()
        self._next = loop.call_later(self._seconds, self._look, unread)

    def end(self) -> None:
        """Watch no more."""
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _look(self, unread_before: int) -> None:
        if self._transport.get_write_buffer_size() < unread_before:
            self.begin()
        else:
            self._transport.abort()
