"""The header that makes a message recognisable when it is submitted again.

SMTP has no answer to a client that has lost the 250: it sends the message again, and it goes out
twice. With a key of its own in this header it is accepted once, and the same 250 is said again.
"""

import hashlib
import re
from collections.abc import Iterable
from itertools import islice

from smarthost.mail.address import Address
from smarthost.mail.fields import Field, header_end, read_fields
from smarthost.mail.submitted import LONGEST_HEADER

HEADER = "X-Smarthost-Idempotency-Key"
LONGEST_KEY = 256

_LOWER = HEADER.lower()
_SOUGHT = _LOWER.encode()
_KEY = re.compile(rb"[!-~]{1,256}")
# A program that sends a message again makes these anew, and so do the servers before this one.
_MADE_ANEW = frozenset({"date", "message-id", "received", _LOWER})
# So it does with what parts the parts (RFC 2046, section 5.1.1), which most programs draw by lot.
_BOUNDARY = re.compile(rb'boundary=(?:"([^"\r\n]{1,70})"|([^\s";]{1,70}))', re.IGNORECASE)
# Looked for where they are named, in the headers at the beginning; and there are few.
_BEGINNING = 65_536
_MOST_BOUNDARIES = 10


class KeyMisusedError(ValueError):
    """The header is there more than once, or its value is no key."""


class Keyed:
    """A message without the header, and what the header said."""

    def __init__(self, content: bytes) -> None:
        """Read the header; raises `KeyMisusedError`."""
        self.content = content
        self.key: str | None = None
        self._fields: list[Field] = []
        end, _ = header_end(content, 0, len(content))
        # Most messages have none, and need not be read for it; and one whose header is too long is
        # refused for that, so that nobody has millions of fields read here.
        if end <= LONGEST_HEADER and _SOUGHT in content[:end].lower():
            self._read(content, end)

    def scope(self, recipients: Iterable[Address]) -> str:
        """Return what the key stands for: a message to these.

        A client that was told that there are too many recipients sends the rest the same message.
        """
        digest = hashlib.sha256("\0".join(sorted(map(str, recipients))).encode())
        return f"smtp {digest.hexdigest()[:32]} {self.key}"

    def digest(self, sender: Address | None, recipients: Iterable[Address]) -> bytes:
        """Return SHA-256 of all that is asked for: the envelope, and the message as it was made.

        What is made anew each time a message is sent is left out: some fields, and the boundaries
        of parts.
        """
        digest = hashlib.sha256(b"smtp")
        for path in (str(sender or ""), *sorted(map(str, recipients))):
            digest.update(path.encode() + b"\0")
        anew = [one for one in self._fields if _is_made_anew(one)]
        digest.update(_without_boundaries(b"".join(_without(self._content, anew))))
        return digest.digest()

    def _read(self, content: bytes, end: int) -> None:
        self._content = content
        self._fields = read_fields(content, 0, end)
        found = [one for one in self._fields if one.lower_name == _LOWER]
        if not found:
            return
        if len(found) > 1 or not _KEY.fullmatch(found[0].raw):
            raise KeyMisusedError(
                f"The header {HEADER} stands there once, with 1 to {LONGEST_KEY} characters of "
                "visible ASCII."
            )
        self.key = found[0].raw.decode("ascii")
        self.content = b"".join(_without(content, found))


def _is_made_anew(field: Field) -> bool:
    return field.lower_name in _MADE_ANEW


def _without_boundaries(content: bytes) -> bytes:
    """Give the content with numbers in place of its boundaries, as far as these are looked for."""
    beginning = content[:_BEGINNING]
    named = dict.fromkeys(quoted or bare for quoted, bare in _BOUNDARY.findall(beginning))
    content = _BOUNDARY.sub(b"boundary=", beginning) + content[_BEGINNING:]
    for number, boundary in enumerate(islice(named, _MOST_BOUNDARIES)):
        content = content.replace(b"\r\n--" + boundary, b"\r\n--%d" % number)
    return content


def _without(content: bytes, fields: Iterable[Field]) -> Iterable[memoryview]:
    """Give the octets of the content but for those of these fields, which are in their order."""
    octets = memoryview(content)
    at = 0
    for one in fields:
        yield octets[at : one.begin]
        at = one.end
    yield octets[at:]
