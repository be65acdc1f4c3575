"""Parts of a finished message in another transfer encoding, where a line or an octet cannot go on.

Only those parts change that have to; every other octet stays as it is. What a part decodes to is
the same before and after, and where that cannot be had, the message is refused and not guessed at.
"""

import binascii
import re
from collections.abc import Callable

from smarthost.mail.body import in_base64, shorter
from smarthost.mail.fields import Field
from smarthost.mail.mime import MimeError, MimePart, parts_of

_BASE64 = re.compile(rb"[A-Za-z0-9+/=\s]*")
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_ONCE = frozenset({"content-type", "content-transfer-encoding"})
_WIDE = frozenset({"8bit", "binary"})
_SIGNED = "The message is signed, and any change would break the signature."
_SHOWN = 60

Edit = tuple[int, int, bytes]
"""Where the octets begin and end that are replaced, and by what."""


def reencoded(
    content: bytes,
    *,
    wrong: Callable[[bytes], bool],
    label: str,
    rewritten: Callable[[Field], bytes],
) -> bytes:
    """Encode each part whose body is `wrong`, in lines that are ended by CRLF throughout.

    `label` is the Content-Transfer-Encoding that a multipart of such parts gets if it has a wider
    one. `rewritten` gives the octets of a wrong field in the header of a part; the header of the
    message itself is not looked at.

    Raises `MimeError` if a wrong octet stands where it cannot be encoded.
    """
    edits = _Edits(content, wrong, label, rewritten)
    edits.visit(parts_of(content), root=True)
    return applied(content, edits.found)


def applied(content: bytes, edits: list[Edit]) -> bytes:
    """Give the content with the edits made; none reaches into another."""
    pieces = []
    at = 0
    for begin, end, octets in sorted(edits, key=lambda edit: edit[:2]):
        pieces += [content[at:begin], octets]
        at = end
    return b"".join((*pieces, content[at:]))


class _Edits:
    def __init__(
        self,
        content: bytes,
        wrong: Callable[[bytes], bool],
        label: str,
        rewritten: Callable[[Field], bytes],
    ) -> None:
        self.found: list[Edit] = []
        self._content = content
        self._wrong = wrong
        self._label = label
        self._rewritten = rewritten

    def visit(self, part: MimePart, *, root: bool) -> bool:
        """Find the edits of a part, and tell whether its body has any.

        `root`: it is a message and not a part of one.
        """
        if not self._wrong(self._content[part.body : part.end]):
            return False
        if part.signed or part.media_type == "multipart/signed":
            raise MimeError(_SIGNED)
        _check_header(part)
        if not part.children:
            self._encode(part, root=root)
            return True
        self._check_between(part)
        holds_message = part.media_type == "message/rfc822"
        for child in part.children:
            self._rewrite_header(child)
            self.visit(child, root=holds_message)
        if part.encoding in _WIDE:
            self._set_encoding(part, self._label)
        return True

    def _rewrite_header(self, part: MimePart) -> None:
        for field in part.fields:
            if self._wrong(self._content[field.begin : field.end]):
                if part.signed:
                    raise MimeError(_SIGNED)
                self.found.append((field.begin, field.end, self._rewritten(field)))

    def _check_between(self, part: MimePart) -> None:
        at = part.body
        for child in part.children:
            self._check_octets(at, child.begin)
            at = child.end
        self._check_octets(at, part.end)

    def _check_octets(self, begin: int, end: int) -> None:
        if self._wrong(self._content[begin:end]):
            raise MimeError("Between the parts of the message stands a text that belongs to none.")

    def _encode(self, part: MimePart, *, root: bool) -> None:
        octets = _decoded(part, self._content[part.body : part.end])
        as_text = part.media_type.startswith("text/") and not _BARE.search(octets)
        encoding, body = shorter(octets) if as_text else in_base64(octets)
        # The line end before a boundary is the boundary's.
        at_end = part.end == len(self._content)
        if encoding == "base64" and not at_end:
            body = body.removesuffix(b"\r\n")
        self.found.append((part.body, part.end, body))
        self._set_encoding(part, encoding)
        if root:
            self._make_mime(part, octets)

    def _set_encoding(self, part: MimePart, encoding: str) -> None:
        line = f"Content-Transfer-Encoding: {encoding}\r\n".encode()
        field = part.field("content-transfer-encoding")
        if field:
            self.found.append((field.begin, field.end, line))
        else:
            self.found.append((part.header_end, part.header_end, line))

    def _make_mime(self, part: MimePart, octets: bytes) -> None:
        """Add what makes readers decode a body: without it, it is text of an unknown charset."""
        lines = b""
        if not part.field("mime-version"):
            lines += b"MIME-Version: 1.0\r\n"
        if not part.field("content-type"):
            lines += f"Content-Type: text/plain; charset={_charset(octets)}\r\n".encode()
        if lines:
            self.found.append((part.header_end, part.header_end, lines))


def _check_header(part: MimePart) -> None:
    names = [field.lower_name for field in part.fields]
    if "" in names:
        raise MimeError("The header of a part has a line that is no field.")
    for name in _ONCE:
        if names.count(name) > 1:
            raise MimeError(f"The header of a part has {name} twice.")


def _decoded(part: MimePart, body: bytes) -> bytes:
    if part.is_container():
        raise MimeError(f"A part of the type {part.media_type[:_SHOWN]} cannot be encoded.")
    if part.encoding in {"", "7bit", *_WIDE}:
        return body
    if part.encoding == "quoted-printable":
        return binascii.a2b_qp(body)
    if part.encoding == "base64" and _BASE64.fullmatch(body):
        try:
            return binascii.a2b_base64(body)
        except binascii.Error:
            pass
    raise MimeError(f"A part is not in the encoding {part.encoding[:_SHOWN]} that it names.")


def _charset(octets: bytes) -> str:
    try:
        octets.decode()
    except UnicodeDecodeError:
        return "unknown-8bit"  # RFC 1428
    return "utf-8"
