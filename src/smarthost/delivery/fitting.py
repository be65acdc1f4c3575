"""A message as one relay can have it, by what that relay offers.

A relay without 8BITMIME or SMTPUTF8 gets the same message in seven bits; only what cannot be
written so, such as an address beyond ASCII, is a lack. The size is looked at last, since encoding
makes a message longer.
"""

import asyncio

import msgspec

from smarthost.delivery.lack import Lack
from smarthost.mail.downgrade import NotDowngradable, downgraded
from smarthost.mail.envelope import Envelope
from smarthost.smtp.data import Content
from smarthost.smtp.extensions import Extensions


class Fitted(msgspec.Struct, frozen=True):
    """What goes to the relay, and what has to be asked of it."""

    content: Content
    utf8: bool = False
    eight_bit: bool = False


async def fitted(envelope: Envelope, offered: Extensions) -> Fitted | Lack:
    """Make a message fit, or say what the relay lacks."""
    content = Content(envelope.content)
    if not (envelope.needs_8bit or envelope.needs_smtputf8):
        return _within_size(Fitted(content), offered)
    # RFC 6531, section 3.1: whoever offers SMTPUTF8 has to offer 8BITMIME too.
    utf8, eight_bit = offered.smtp_utf8 and offered.eight_bit_mime, offered.eight_bit_mime
    if not utf8 and not all(path.isascii() for path in (envelope.sender, *envelope.recipients)):
        return Lack.SMTPUTF8
    if utf8 or (eight_bit and not envelope.needs_smtputf8):
        found = Fitted(content, envelope.needs_smtputf8, envelope.needs_8bit)
        return _within_size(found, offered)
    # In a thread: it reads the whole message, part by part.
    made = await asyncio.to_thread(downgraded, content.lines, eight_bit=eight_bit, smtputf8=utf8)
    if isinstance(made, NotDowngradable):
        return _LACKS[made.extension]
    in_seven_bits = Content(made)
    return _within_size(Fitted(in_seven_bits, eight_bit=not in_seven_bits.is_ascii), offered)


_LACKS = {"8BITMIME": Lack.EIGHT_BIT_MIME, "SMTPUTF8": Lack.SMTPUTF8}


def _within_size(found: Fitted, offered: Extensions) -> Fitted | Lack:
    if offered.size is not None and found.content.octets > offered.size:
        return Lack.SIZE
    return found
