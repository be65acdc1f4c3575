"""What is used of asyncpg's connection, which has no types.

It is all that the rest knows of the driver's calls; its errors are in `postgresql_errors.py`.
"""

import socket
from collections.abc import AsyncIterable, Callable, Iterable, Sequence
from typing import Any, Protocol

_IDLE_SECONDS, _BETWEEN_SECONDS, _TIMES = 10, 5, 3


class Connection(Protocol):
    """A session on the server."""

    async def fetch(
        self,
        sql: str,
        *values: object,
        timeout: float | None = None,  # noqa: ASYNC109 - the driver's own
    ) -> list[tuple[object, ...]]:
        """Run one statement and return all its rows."""
        ...

    async def fetchmany(
        self,
        sql: str,
        values: Iterable[Sequence[object]],
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the driver's own
    ) -> list[tuple[object, ...]]:
        """Run one statement for each sequence of values and return all their rows."""
        ...

    def cursor(
        self, sql: str, *, prefetch: int, timeout: float | None = None
    ) -> AsyncIterable[tuple[object, ...]]:
        """Run one statement in the transaction under way, and give its rows as they are read."""
        ...

    async def copy_records_to_table(
        self,
        table_name: str,
        *,
        records: Iterable[tuple[object, ...]],
        columns: Sequence[str],
        timeout: float | None = None,  # noqa: ASYNC109 - the driver's own
    ) -> str:
        """Add rows to a table, by COPY."""
        ...

    async def execute(
        self,
        sql: str,
        *values: object,
        timeout: float | None = None,  # noqa: ASYNC109 - the driver's own
    ) -> str:
        """Run a statement, or a script without values; return the last command's tag."""
        ...

    async def add_listener(
        self, channel: str, callback: Callable[[object, int, str, object], None]
    ) -> None:
        """Call `callback` with connection, sender's process, channel and words of each message."""
        ...

    def is_closed(self) -> bool:
        """Tell whether it is of no use any more."""
        ...

    def is_in_transaction(self) -> bool:
        """Tell whether a transaction was begun and not ended."""
        ...

    def terminate(self) -> None:
        """Close it without a word."""
        ...

    async def close(self, *, timeout: float) -> None:  # noqa: ASYNC109 - the driver's own
        """Close it orderly."""
        ...


def keep_alive(connection: Any) -> None:  # noqa: ANN401 - the driver has no types
    """Have the system find out, where an answer is waited for, that the other end is gone.

    A server whose power failed has forgotten the connection and says so only when it is asked.
    """
    ours = connection._transport.get_extra_info("socket")  # noqa: SLF001 - there is no other way
    if ours.family == socket.AF_UNIX:
        return
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _IDLE_SECONDS)
    ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _BETWEEN_SECONDS)
    ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _TIMES)
