"""The parts of a finished message and where they stand in its octets (RFC 2046).

Nothing is decoded and nothing copied: a part is known by its places, so that one can be changed
and every other octet stays. Boundaries are exact; what is malformed is no parts, but a whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from smarthost.mail.fields import Field, header_end, read_fields
from smarthost.mail.parameters import read_parameters

_DEEPEST = 20
_MOST_PARTS = 1000
_MOST_LINES = 20_000  # that begin like a boundary
_LONGEST_HEADERS = 1_048_576  # octets, of all parts together
_UNENCODED = frozenset({"", "7bit", "8bit", "binary"})


class MimeError(ValueError):
    """The parts of a message cannot be told for sure; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MimePart:
    """A part by its places; `children` are the parts in it, of which a leaf has none."""

    begin: int
    """Where its header begins; it ends at `header_end`, before the empty line."""
    header_end: int
    body: int
    """Where its body begins; it ends at `end`."""
    end: int
    fields: tuple[Field, ...]
    media_type: str
    """In small letters."""
    parameters: dict[str, str]
    """Of Content-Type, names in small letters."""
    encoding: str
    """Content-Transfer-Encoding in small letters; empty if there is none."""
    signed: bool
    """It is in a multipart/signed, so no octet of it may change (RFC 1847, section 2.1)."""
    children: tuple["MimePart", ...] = ()

    def field(self, lower_name: str) -> Field | None:
        """Give the first field of this name."""
        return next((one for one in self.fields if one.lower_name == lower_name), None)

    def walk(self) -> Iterator["MimePart"]:
        """Give this part and all within it, in their order."""
        yield self
        for child in self.children:
            yield from child.walk()

    def is_container(self) -> bool:
        """Whether it is of parts or holds a message, which no encoding is allowed for."""
        return self.media_type.startswith(("multipart/", "message/"))


def parts_of(content: bytes) -> MimePart:
    """Give the message as a part, with all parts in it. Every line of it ends in CRLF.

    A multipart without boundary, or without a line of it, has no children, and neither has one
    below 20 others. Raises `MimeError` on more than 1,000 parts, and on more headers and
    boundaries than these need.
    """
    return _Reader(content).part(0, len(content), signed=False, depth=0)


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._parts = 0
        self._header_octets = 0

    def part(
        self, begin: int, end: int, *, signed: bool, depth: int, default: str = "text/plain"
    ) -> MimePart:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise MimeError(f"The message has more than {_MOST_PARTS} parts.")
        headers_end, body = header_end(self._content, begin, end)
        self._header_octets += headers_end - begin
        if self._header_octets > _LONGEST_HEADERS:
            raise MimeError(
                f"The headers of the parts have more than {_LONGEST_HEADERS} octets together."
            )
        fields = tuple(read_fields(self._content, begin, headers_end))
        media_type, parameters = _content_type(fields, default)
        part = MimePart(
            begin=begin,
            header_end=headers_end,
            body=body,
            end=end,
            fields=fields,
            media_type=media_type,
            parameters=parameters,
            encoding=_encoding(fields),
            signed=signed,
        )
        children = self._children(part, depth + 1) if depth < _DEEPEST else ()
        return replace(part, children=tuple(children)) if children else part

    def _children(self, part: MimePart, depth: int) -> list[MimePart]:
        if part.media_type == "message/rfc822" and part.encoding in _UNENCODED:
            return [self.part(part.body, part.end, signed=part.signed, depth=depth)]
        boundary = part.parameters.get("boundary", "")
        if not part.media_type.startswith("multipart/") or not boundary:
            return []
        default = "message/rfc822" if part.media_type == "multipart/digest" else "text/plain"
        signed = part.signed or part.media_type == "multipart/signed"
        return [
            self.part(begin, end, signed=signed, depth=depth, default=default)
            for begin, end in self._extents(part, boundary)
        ]

    def _extents(self, part: MimePart, boundary: str) -> Iterator[tuple[int, int]]:
        """Give where each part within begins and ends, without the CRLF that a boundary owns."""
        begin = None
        for line, line_end, closes in self._boundary_lines(part, boundary):
            if begin is not None and begin <= line:
                yield begin, line
            begin = line_end
            if closes:
                return
        if begin is not None and begin <= part.end:
            yield begin, part.end

    def _boundary_lines(self, part: MimePart, boundary: str) -> Iterator[tuple[int, int, bool]]:
        delimiter = b"\r\n--" + boundary.encode("latin-1", errors="replace")
        # The empty line before a body gives the first boundary its CRLF.
        at = self._content.find(delimiter, part.body - 2, part.end)
        lines = 0
        while at >= 0:
            lines += 1
            if lines > _MOST_LINES:
                raise MimeError("The message has too many lines that begin like a boundary.")
            after = at + len(delimiter)
            line_end = self._content.find(b"\r\n", after, part.end)
            line_end = part.end if line_end < 0 else line_end
            rest = self._content[after:line_end].rstrip(b" \t")
            if rest in {b"", b"--"}:
                yield at, line_end + 2, rest == b"--"
            at = self._content.find(delimiter, line_end, part.end)


def _content_type(fields: tuple[Field, ...], default: str) -> tuple[str, dict[str, str]]:
    field = next((one for one in fields if one.lower_name == "content-type"), None)
    if field is None:
        return default, {}
    media_type, parameters = read_parameters(field.raw.decode("latin-1"))
    # RFC 2045, section 5.2: what cannot be read is plain text.
    return (media_type if "/" in media_type else "text/plain"), parameters


def _encoding(fields: tuple[Field, ...]) -> str:
    name = "content-transfer-encoding"
    value = next((one.value for one in fields if one.lower_name == name), "")
    return value.partition(";")[0].partition("(")[0].strip(" \t").lower()
