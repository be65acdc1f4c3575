"""Secrets in every form in which a program may carry them along unknowingly."""

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from urllib.parse import quote


def forms(secret: str) -> Iterator[bytes]:
    """Every form in which `secret` might be written."""
    octets = secret.encode()
    yield octets
    yield quote(secret, safe="").encode()
    yield json.dumps(secret)[1:-1].encode()
    yield repr(secret)[1:-1].encode()
    yield octets.hex().encode()
    yield octets.hex().upper().encode()
    for encoding in ("utf-16-le", "utf-16-be", "latin-1"):
        yield secret.encode(encoding)
    for before in range(3):
        # What the octets around it cannot change.
        text = b64encode(bytes(before) + octets + bytes(3))[(before * 8 + 5) // 6 :]
        whole = text[: (len(octets) * 8 - (-before * 8) % 6) // 6]
        yield whole
        yield whole.replace(b"+", b"-").replace(b"/", b"_")


def found_in(text: bytes, known: Sequence[str]) -> list[tuple[str, bytes]]:
    return [(secret, form) for secret in known for form in forms(secret) if form in text]
