"""The texts of a finished message, read back for people who ask what was sent.

What a message holds may be anything: reading it never fails, costs no more than the message is
long, and gives at most a part of it.
"""

import binascii
from typing import NamedTuple

from smarthost.mail.charsets import text_of
from smarthost.mail.mime import MimeError, MimePart, parts_of

LONGEST = 1_048_576
"""Octets of each text, decoded; the rest is left out."""

# Quoted-printable takes three for one, and a line end now and then.
_LONGEST_ENCODED = 4 * LONGEST


class Readable(NamedTuple):
    """The first text and the first HTML that a reader would be shown, with LF for line ends."""

    text: str | None
    html: str | None


def readable(content: bytes) -> Readable:
    """Read the texts of a message whose lines end in CRLF; None for one that it does not have."""
    try:
        leaves = _shown_leaves(parts_of(content))
    except MimeError:
        return Readable(None, None)
    return Readable(
        _first(content, leaves, "text/plain"),
        _first(content, leaves, "text/html"),
    )


def _shown_leaves(part: MimePart) -> list[MimePart]:
    """Give the texts that are no attachments, and not those of a message within the message."""
    if part.children and part.media_type.startswith("multipart/"):
        return [leaf for child in part.children for leaf in _shown_leaves(child)]
    disposition = part.field("content-disposition")
    attached = disposition is not None and disposition.value.lower().startswith("attachment")
    return [] if attached or part.is_container() else [part]


def _first(content: bytes, leaves: list[MimePart], media_type: str) -> str | None:
    part = next((leaf for leaf in leaves if leaf.media_type == media_type), None)
    if part is None:
        return None
    octets = _decoded(part.encoding, _beginning(content, part))[:LONGEST]
    return text_of(octets, part.parameters.get("charset", "")).replace("\r\n", "\n")


def _beginning(content: bytes, part: MimePart) -> bytes:
    """Give as much of a body as is decoded: decoding the whole of a long one takes its time."""
    begun = content[part.body : min(part.end, part.body + _LONGEST_ENCODED)]
    if part.encoding != "base64" or len(begun) < _LONGEST_ENCODED:
        return begun
    begun = begun.translate(None, b"\r\n\t ")
    return begun[: len(begun) // 4 * 4]  # four characters are three octets


def _decoded(encoding: str, body: bytes) -> bytes:
    if encoding == "quoted-printable":
        return binascii.a2b_qp(body)
    if encoding != "base64":
        return body
    try:
        return binascii.a2b_base64(body)
    except binascii.Error:
        return body
