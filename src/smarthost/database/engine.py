"""What every store of rows can do, whichever engine is behind it.

A read is one statement; a change is a unit of work, a coroutine function that awaits nothing but
its transaction. Both engines take the same SQL text with `$1`, `$2`, … for values, so that a
`store.py` never asks which engine it speaks to.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, Protocol, TypeVar

Value = str | int | float | bytes | None
Row = tuple[Any, ...]
T = TypeVar("T")


class StoreUnavailableError(Exception):
    """The store could not do what was asked; nothing was changed but for `OutcomeUnknownError`.

    The message is for the operator's log and terminal: it names the file or host, never a value.
    """


class StoreFullError(StoreUnavailableError):
    """The disk has no room for it. Reads go on, and it works again once there is room."""


class StoreBusyError(StoreUnavailableError):
    """Somebody else keeps locked what was asked for, or needs it at the same moment."""


class OutcomeUnknownError(StoreUnavailableError):
    """The store failed at the commit: the change may be there when it is read anew, or not.

    With SQLite it was the disk: every later call raises `StoreUnavailableError` until the process
    has started again. With PostgreSQL it was the connection, and the next call may go well.
    """


class Transaction(Protocol):
    """Reads and changes that become durable together, or not at all."""

    async def fetch(self, sql: str, *values: Value) -> list[Row]:
        """Run one statement and return all its rows."""
        ...

    async def fetch_each(self, sql: str, rows: Sequence[Sequence[Value]]) -> list[Row]:
        """Run one statement for each row of values; return all that they return, in order.

        On PostgreSQL they go together: one way to the server and back for all.
        """
        ...

    async def execute(self, sql: str, *values: Value) -> int:
        """Run a statement, or a script without values; return the number of rows changed."""
        ...

    async def lock(self, subject: str) -> None:
        """Wait until no other unit of work has locked `subject`; keep it to the end of this one.

        Whoever decides by what it has read locks first what that is about, most often a portal
        by its id: what it reads from then on nobody else changes who locks the same. SQLite has
        one writer, which gives this for nothing.
        """
        ...


Work = Callable[[Transaction], Awaitable[T]]


class Database(Protocol):
    """An open store.

    Every method raises `StoreUnavailableError` when the store cannot be reached or written.
    """

    dialect: Literal["sqlite", "postgresql"]
    in_order: bool
    """Units of work are written in the order in which they were handed over, not side by side."""

    async def fetch(self, sql: str, *values: Value) -> list[Row]:
        """Run one read outside any transaction and return all its rows."""
        ...

    async def execute(self, sql: str, *values: Value) -> int:
        """Run one statement as a change by itself; return its number of rows once it is durable.

        It may be run twice, so it has to come to the same then. On PostgreSQL it costs a third
        of a unit of work with the same statement.
        """
        ...

    async def note(self, sql: str, *values: Value) -> None:
        """Run one statement as a change that nobody misses, beside units of work.

        It waits neither for their turn nor for a standby, and is lost with the server that has
        taken it. It may be run twice.
        """
        ...

    async def transact(self, work: Work[T]) -> T:
        """Run `work` in a transaction and return its result once that is durable.

        `work` may be run twice, so it has no effect but on its transaction, and awaits nothing
        else. What it raises takes back its changes and is raised here.
        """
        ...

    async def transact_long(self, work: Work[T]) -> T:
        """Run `work` as `transact` does, however long its statements take.

        Whoever waits may be cancelled: it is broken off then, and taken back unless its commit
        has begun. While others keep a table of a server locked it waits for two seconds only,
        since all who come later wait behind it; then it raises `StoreBusyError`.
        """
        ...

    def check_room(self, octets: int) -> None:
        """Return if that many more octets leave room for the rest of the work.

        For those who could also do without: what must be written is tried without asking. Raises
        `StoreFullError`.
        """
        ...

    async def find_damage(self) -> str | None:
        """Look the stored data over; return the engine's words for the first fault, or None."""
        ...

    async def wait_failed(self) -> None:
        """Return when the store can no longer promise durability and the process must end."""
        ...

    async def close(self) -> None:
        """Finish the units of work that were begun, and close."""
        ...
