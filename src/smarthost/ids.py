"""Identifiers that anybody may see.

They are UUIDs of version 7 (RFC 9562 section 5.7): their order is the order of making, so
indexes stay compact, and they carry 74 random bits, so nobody guesses a neighbour's.
"""

import secrets
import uuid
from collections.abc import Callable

from smarthost.clock import Clock

_VARIANT = 0b10 << 62
_VERSION = 7 << 76


class Ids:
    """Makes identifiers from a clock and a source of random bits."""

    def __init__(self, clock: Clock, random_bits: Callable[[int], int] = secrets.randbits) -> None:
        self._clock = clock
        self._random_bits = random_bits

    def new(self) -> str:
        """Return a new UUIDv7 in its text form of 36 characters."""
        milliseconds = (self._clock.now() // 1_000) & (1 << 48) - 1
        random_a = self._random_bits(12) << 64
        random_b = self._random_bits(62)
        return str(uuid.UUID(int=milliseconds << 80 | _VERSION | random_a | _VARIANT | random_b))
