"""What a copy tells: how far it is, what it came to, and why there is none."""

from collections.abc import Callable

import msgspec


class SourceInUseError(Exception):
    """Somebody else has the file open, and might write what the copy would miss."""


class SourceNotReadyError(Exception):
    """What is in the file cannot be copied as it is."""


class TargetTakenError(Exception):
    """The server's database holds something else, or is being copied to already."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a copy is."""

    comparing: bool
    """All rows were copied, and both sides are being compared."""
    table: str
    rows: int
    """Of the table, done up to now."""
    of: int
    share: float
    """Of the whole work, from 0 to 1."""


Show = Callable[[Progress], None]


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One table, as both sides have it."""

    table: str
    rows: int
    """In the source."""
    sha256: str
    """Of the source's rows, as `fingerprint.py` writes them; hexadecimal."""
    alike: bool
    """The target has the same number of rows, and the same fingerprint."""


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """What a copy has come to."""

    target: str
    """The name of the database and its hosts."""
    finished_at: int | None
    """Microseconds since 1970, UTC; none: the sides differ, and the next run begins anew."""
    already: bool
    """An earlier run had finished it; this one has done nothing."""
    rows: int
    """Written by this run; those of runs that were broken off are not among them."""
    tables: tuple[Compared, ...]
    """In the order in which they were copied; none where an earlier run had finished."""
