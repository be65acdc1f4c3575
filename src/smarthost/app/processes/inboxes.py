"""How processes that serve together reach each other: an inbox for each, made before any of them.

A process that is started again takes over the inbox of the one that died, so nobody has to be told
of it. What is sent is one octet, and behind a question the end of a line to answer on. There is
nothing of it in the file system, and nobody else can send anything.
"""

import contextlib
import socket
from collections.abc import Callable

WAKE = b"W"
FAMILIES = b"F"

_BACKLOG = 64  # messages that are read before others on the event loop get their turn


class Inboxes:
    """The inboxes of all, as each of them and their supervisor has them."""

    def __init__(self, count: int) -> None:
        self._pairs = [socket.socketpair(type=socket.SOCK_DGRAM) for _ in range(count)]
        for pair in self._pairs:
            for end in pair:
                end.setblocking(False)

    def __len__(self) -> int:
        return len(self._pairs)

    def close(self) -> None:
        """Let go of all ends."""
        for pair in self._pairs:
            for end in pair:
                end.close()

    def fileno(self, number: int) -> int:
        """Return what can be read when something is in the inbox of `number`."""
        return self._pairs[number - 1][0].fileno()

    def wake(self, number: int) -> None:
        """Have that process look into the queue."""
        # An inbox that is full has reason enough to look.
        with contextlib.suppress(BlockingIOError):
            self._pairs[number - 1][1].send(WAKE)

    def ask(self, number: int) -> socket.socket:
        """Ask that process for what it has counted; the answer is to be read until its end.

        Raises `BlockingIOError` where it has long not looked.
        """
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            try:
                socket.send_fds(self._pairs[number - 1][1], [FAMILIES], [theirs.fileno()])
            except OSError:
                ours.close()
                raise
        return ours

    def read(
        self, number: int, woken: Callable[[], None], asked: Callable[[socket.socket], None]
    ) -> None:
        """Handle what is in the inbox: `asked` gets each line to answer on, and closes it."""
        for _ in range(_BACKLOG):
            try:
                word, descriptors, _flags, _address = socket.recv_fds(
                    self._pairs[number - 1][0], 1, 1
                )
            except BlockingIOError:
                return
            if word == WAKE:
                woken()
            for descriptor in descriptors:
                asked(socket.socket(fileno=descriptor))
