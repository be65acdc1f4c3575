"""Whom a message on standard input is from, where it does not say so itself.

Programs that write to sendmail often leave From to it. So it is added here, before anything looks
at the message, which is otherwise handed on as it came.
"""

import re

from smarthost.mail.headers import MailboxHeader, header_block
from smarthost.mail.mailbox import Mailbox

# What programs write before each message in a folder of mail (RFC 4155): the header is behind it.
_MBOX_LINE = re.compile(rb"(?:From [^\r\n]*\r?\n)?")
_HEADER_END = re.compile(rb"^\r?\n", re.MULTILINE)
_FROM = re.compile(rb"^from[ \t]*:", re.IGNORECASE | re.MULTILINE)


def names_sender(message: bytes) -> bool:
    """Whether the header of a message says whom it is from."""
    end = _HEADER_END.search(message)
    return _FROM.search(message, 0, end.start() if end else len(message)) is not None


def with_sender(message: bytes, sender: Mailbox) -> bytes:
    """Return a message that does not say whom it is from with a header that does.

    Raises `HeaderError` where the display name can stand in no header.
    """
    line_end = b"\r\n" if b"\r\n" in message else b"\n"
    header = header_block([MailboxHeader(name="From", mailboxes=(sender,))])
    header = header.replace(b"\r\n", line_end)
    return _MBOX_LINE.sub(lambda line: line[0] + header, message, count=1)
