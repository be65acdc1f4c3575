"""What a target of the fuzzer is, and how one input is a stream that is cut in two."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Target:
    """One entrance; `seeds` are inputs to start from, `words` what they are made of."""

    check: Callable[[bytes], None]
    seeds: Sequence[bytes]
    words: Sequence[bytes] = ()
    longest: int = 4_096
    """Octets of an input."""
    runs: int = 20_000
    """In a quick round; a few seconds."""


# Where an input is cut in two, its first two octets say where.

GROWS = b"\xfe"
"""With the octet behind it, eight times as many letters: limits are far for changes by octets."""


def cut(data: bytes) -> tuple[bytes, list[bytes]]:
    """Return a stream whole, and in two pieces."""
    stream = re.sub(
        GROWS + rb"(.)", lambda found: b"x" * (found[1][0] * 8), data[2:], flags=re.DOTALL
    )
    at = int.from_bytes(data[:2], "big") % (len(stream) + 1)
    return stream, [stream[:at], stream[at:]]


def at(place: int, stream: bytes) -> bytes:
    """Return an input that is cut there."""
    return place.to_bytes(2, "big") + stream
