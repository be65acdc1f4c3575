"""A part of a message that is being written: its headers and its body (RFC 2045, section 1).

Parts are put together from the inside out, and each header block passes the second reading of
`header_block` when the octets are made.
"""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import count
from typing import NamedTuple

from smarthost.mail.headers import Header, PlainHeader, header_block
from smarthost.mail.parameters import with_parameters


class Part(NamedTuple):
    """Content-Type is among the headers; the body is finished octets."""

    headers: tuple[Header, ...]
    body: bytes

    def media_type(self) -> str:
        """Give Content-Type without its parameters."""
        return next(
            header.value.partition(";")[0]
            for header in self.headers
            if isinstance(header, PlainHeader) and header.name == "Content-Type"
        )

    def content(self) -> bytes:
        """Give the octets. Raises `HeaderError` as `header_block` does."""
        return header_block(self.headers) + b"\r\n" + self.body


def multipart(subtype: str, parts: Sequence[Part], boundary: str, **parameters: str) -> Part:
    """Put parts into one; no line of theirs may begin with two hyphens and `boundary`.

    Raises `HeaderError` as `header_block` does.
    """
    line = b"--" + boundary.encode()
    # A part does not own the line end before a boundary, so each gets one more.
    lines = [piece for part in parts for piece in (line, part.content())]
    content_type = with_parameters(f"multipart/{subtype}", **parameters, boundary=boundary)
    return Part(
        (PlainHeader(name="Content-Type", value=content_type),),
        b"\r\n".join((*lines, line + b"--\r\n")),
    )


def boundaries(message_id: str) -> Iterator[str]:
    """Give boundaries for the message of this Message-ID, the same for the same one.

    They are distinct, none is the beginning of another, and no line of our own encoding has one.
    """
    for number in count():
        yield f"=_{hashlib.sha256(f'{number} {message_id}'.encode()).hexdigest()[:32]}"
