"""One number for all rows of a table: SHA-256 over each row in the order of the primary key.

A row is written as a MessagePack array of its columns, which tells NULL, whole numbers, text and
octets apart and says how long each is, so that no two tables are written alike. Octets stand there
as their own SHA-256: the server computes that itself, and bodies need not travel again.
"""

from collections.abc import Iterable
from hashlib import sha256

from msgspec import msgpack

from smarthost.database.engine import Row


class Fingerprint:
    """Grows row by row."""

    def __init__(self) -> None:
        self._hash = sha256()
        self.rows = 0

    def add(self, rows: Iterable[Row]) -> None:
        """Add rows in their order, with octets hashed already."""
        encoded = [msgpack.encode(row) for row in rows]
        self._hash.update(b"".join(encoded))
        self.rows += len(encoded)

    @property
    def sha256(self) -> str:
        """The number, in hexadecimal digits."""
        return self._hash.hexdigest()


def with_hashed_octets(row: Row) -> Row:
    """Return a row as `Fingerprint` takes it."""
    return tuple(sha256(value).digest() if isinstance(value, bytes) else value for value in row)
