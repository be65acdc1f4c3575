"""A message for a relay without 8BITMIME (RFC 6152) or SMTPUTF8 (RFC 6531).

It is a pure function of the octets and of what the relay offers, so that every try sends the same.
What is 7-bit stays octet by octet; what is not is encoded, so that readers see what they would
have seen; and what cannot be encoded without harm makes the message one that this relay cannot
have.
"""

from dataclasses import dataclass
from typing import Literal

from smarthost.mail.address import AddressError
from smarthost.mail.address_list import Group, parse_address_list
from smarthost.mail.encoded_words import shown
from smarthost.mail.fields import Field, header_end, read_fields
from smarthost.mail.header_reader import HeaderError
from smarthost.mail.headers import Header, MailboxHeader, PlainHeader, TextHeader, header_block
from smarthost.mail.mailbox import Mailbox, quoted
from smarthost.mail.mime import MimeError
from smarthost.mail.parameters import read_parameters, with_parameters
from smarthost.mail.reencode import Edit, applied, reencoded

_ADDRESSES = frozenset({"from", "sender", "reply-to", "to", "cc"})
_PARAMETERS = frozenset({"content-type", "content-disposition"})
# Structured, traces, or signatures: an encoded word in them is a fault and no text.
_AS_IT_IS = frozenset(
    {
        "archived-at", "authentication-results", "auto-submitted", "content-id",
        "content-transfer-encoding", "date", "dkim-signature", "in-reply-to", "message-id",
        "mime-version", "received", "references", "return-path",
    }
)  # fmt: skip
_AS_IT_IS_PREFIXES = ("arc-", "list-")
_RESENT = "resent-"
_UNREADABLE = "\ufffd"


@dataclass(frozen=True, kw_only=True, slots=True)
class NotDowngradable:
    """Why a message cannot be had without an extension."""

    extension: Literal["8BITMIME", "SMTPUTF8"]
    why: str
    """A sentence for the person who sent the message."""


def downgraded(content: bytes, *, eight_bit: bool, smtputf8: bool) -> bytes | NotDowngradable:
    """Give the message as a relay may have it, whose lines end in CRLF.

    `eight_bit` and `smtputf8`: what the relay offers. Without 8BITMIME, parts in 8 bits become
    quoted-printable or base64; without SMTPUTF8, the header's texts, names and parameters are
    encoded and domains become A-labels. Done again, it changes nothing. The paths of the envelope
    are the caller's.
    """
    if content.isascii():
        return content
    try:
        if not eight_bit:
            content = reencoded(content, wrong=_is_8bit, label="7bit", rewritten=_in_ascii)
    except (MimeError, HeaderError) as error:
        return NotDowngradable(extension="8BITMIME", why=str(error))
    try:
        return content if smtputf8 else _with_ascii_header(content)
    except HeaderError as error:
        return NotDowngradable(extension="SMTPUTF8", why=str(error))


def _is_8bit(octets: bytes) -> bool:
    return not octets.isascii()


def _with_ascii_header(content: bytes) -> bytes:
    end, _ = header_end(content, 0, len(content))
    edits: list[Edit] = [
        (field.begin, field.end, _in_ascii(field))
        for field in read_fields(content, 0, end)
        if _is_8bit(content[field.begin : field.end])
    ]
    return applied(content, edits)


def _in_ascii(field: Field) -> bytes:
    """Give a field in ASCII with the same meaning. Raises `HeaderError` if that cannot be."""
    try:
        value = field.raw.decode()
    except UnicodeDecodeError:
        raise HeaderError(f"The header {field.name} is not in UTF-8.") from None
    if not field.name:
        raise HeaderError("The header has a line that is no field.")
    block = header_block([_header(field.name, value)])
    if not block.isascii():
        raise HeaderError(
            f"The header {field.name} has an address whose part before the @ is not ASCII."
        )
    return block


def _header(name: str, value: str) -> Header:
    lower = name.lower()
    if lower in _AS_IT_IS or lower.startswith(_AS_IT_IS_PREFIXES):
        raise HeaderError(f"The header {name} cannot be written in ASCII.")
    if _UNREADABLE in shown(value) and _UNREADABLE not in value:
        raise HeaderError(f"The header {name} has a character that cannot be read.")
    if lower.removeprefix(_RESENT) in _ADDRESSES:
        return MailboxHeader(name=name, mailboxes=_entries(name, value))
    if lower in _PARAMETERS:
        return PlainHeader(name=name, value=_encoded_parameters(name, value))
    return TextHeader(name=name, text=shown(value))


def _entries(name: str, value: str) -> tuple[Mailbox | Group, ...]:
    try:
        return parse_address_list(value)
    except AddressError as error:
        raise HeaderError(f"The header {name} cannot be read. {error}") from None


def _encoded_parameters(header: str, value: str) -> str:
    first, parameters = read_parameters(value)
    parts = [first]
    for name, text in parameters.items():
        if "*" in name:
            # RFC 2231 already, where it is ASCII.
            parts.append(f"{name}={text if name.endswith('*') else quoted(text)}")
        elif text.isascii():
            parts.append(f"{name}={quoted(text)}")
        elif name == "boundary":
            raise HeaderError(f"The header {header} has a boundary that is not ASCII.")
        elif f"{name}*" not in parameters:  # which readers take before it
            parts.append(with_parameters("", **{name: text}).removeprefix("; "))
    return "; ".join(parts)
