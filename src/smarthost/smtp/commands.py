"""The commands of an SMTP client, each as one line of octets.

Values were checked where they were typed in; this is the last check before the wire, since a
line end inside a value would be a command of its own (SMTP command injection). What does not fit
is a fault of this program, so it is a `ValueError`, and the value is not repeated in it.
"""

import base64
import re
from collections.abc import Set

from smarthost.mail.dsn import Notify, Return, in_ascii
from smarthost.smtp import xtext

_VISIBLE_ASCII = re.compile(r"[!-~]+")
_MECHANISM = re.compile(r"[A-Z0-9_-]{1,20}")  # RFC 4422, section 3.1
_PATH_LIMIT = 254  # octets: RFC 5321, section 4.5.3.1.3, less two angle brackets
_ENVID_LIMIT = 100  # characters: RFC 3461, section 4.4
_ORCPT_LIMIT = 500  # characters: RFC 3461, section 4.2
_ADDRESS_TYPE = re.compile(r"[A-Za-z0-9-]{1,40}")

STARTTLS = b"STARTTLS\r\n"
DATA = b"DATA\r\n"
RSET = b"RSET\r\n"
QUIT = b"QUIT\r\n"
AUTH_CANCEL = b"*\r\n"
"""Ends an exchange without an answer (RFC 4954, section 4)."""


def ehlo(name: str) -> bytes:
    """EHLO with this machine's name: a domain or an address literal, in ASCII."""
    if not _VISIBLE_ASCII.fullmatch(name):
        raise ValueError("The EHLO name holds something other than visible ASCII.")
    return f"EHLO {name}\r\n".encode("ascii")


def mail_from(
    path: str,
    *,
    size: int | None = None,
    utf8: bool = False,
    eight_bit: bool = False,
    ret: Return | None = None,
    envelope_id: str | None = None,
) -> bytes:
    """MAIL FROM with a mailbox, or the empty path of a notification.

    `size` is in octets (RFC 1870), `utf8` asks for SMTPUTF8 (RFC 6531), `eight_bit` for
    BODY=8BITMIME (RFC 6152). `ret` and `envelope_id` (ENVID, not encoded yet) are RFC 3461's.
    Raises `ValueError` on a path beyond ASCII without `utf8`, and on an ENVID other than 1 to 100
    printable ASCII characters.
    """
    line = f"MAIL FROM:<{_checked(path, utf8=utf8) if path else ''}>"
    if size is not None:
        line += f" SIZE={size:d}"
    if eight_bit:
        line += " BODY=8BITMIME"
    if utf8:
        line += " SMTPUTF8"
    if ret is not None:
        line += f" RET={ret}"
    if envelope_id is not None:
        line += f" ENVID={_envid(envelope_id)}"
    return line.encode() + b"\r\n"


def rcpt_to(
    path: str,
    *,
    utf8: bool = False,
    notify: Set[Notify] | None = None,
    original_recipient: str | None = None,
) -> bytes:
    """RCPT TO with a mailbox; `utf8` when MAIL asked for SMTPUTF8.

    `notify` and `original_recipient` (ORCPT, `rfc822;anna@example.org`, its address not encoded
    yet) are RFC 3461's. Raises `ValueError` on a path beyond ASCII without `utf8`, and on an ORCPT
    that is not of that form.
    """
    line = f"RCPT TO:<{_checked(path, utf8=utf8)}>"
    if notify:
        line += f" NOTIFY={','.join(one for one in Notify if one in notify)}"
    if original_recipient is not None:
        line += f" ORCPT={_orcpt(original_recipient)}"
    return f"{line}\r\n".encode()


def auth(mechanism: str, initial: bytes | None = None) -> bytes:
    """AUTH with a mechanism and its initial response (RFC 4954, section 4)."""
    if not _MECHANISM.fullmatch(mechanism):
        raise ValueError("That is no name of a SASL mechanism.")
    line = b"AUTH " + mechanism.encode("ascii")
    if initial is not None:
        # An empty response is "=", which tells it from none.
        line += b" " + (base64.b64encode(initial) or b"=")
    return line + b"\r\n"


def auth_response(response: bytes) -> bytes:
    """Encode the answer to a 334 challenge; an empty one is an empty line."""
    return base64.b64encode(response) + b"\r\n"


def _checked(path: str, *, utf8: bool) -> str:
    """Refuse what could end the path or the line in the eyes of any server."""
    if not path.isascii() and not utf8:
        raise ValueError("The address needs SMTPUTF8.")
    blank_ends_it = " " in path and not path.startswith('"')
    if not path.isprintable() or "<" in path or ">" in path or blank_ends_it:
        raise ValueError("The address holds a character that cannot stand in a command.")
    if not 0 < len(path.encode()) <= _PATH_LIMIT:
        raise ValueError("The address is empty or longer than 254 octets.")
    return path


def _envid(value: str) -> str:
    if not (value.isascii() and value.isprintable() and 0 < len(value) <= _ENVID_LIMIT):
        raise ValueError("The ENVID is not of 1 to 100 printable ASCII characters.")
    return xtext.encoded(value.encode())


def _orcpt(value: str) -> str:
    kind, _, address = value.partition(";")
    if not (_ADDRESS_TYPE.fullmatch(kind) and address and address.isprintable()):
        raise ValueError("The ORCPT is no address with its type.")
    # In this form it needs no SMTPUTF8 (RFC 6533, section 3).
    written = f"{kind};{xtext.encoded(in_ascii(address).encode())}"
    if len(written) > _ORCPT_LIMIT:
        raise ValueError("The ORCPT is longer than 500 characters.")
    return written
