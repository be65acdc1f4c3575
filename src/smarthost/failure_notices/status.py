"""The status code of a recipient (RFC 3463): the relay's, or what our own code means."""

import re
from collections.abc import Mapping

from smarthost.delivery.outcome import Code
from smarthost.mail_queue.model import State

# A reply as `Reply.text` writes it; the class is the reply's first digit (RFC 2034, section 4).
_ENHANCED = re.compile(r"([245])\d\d (\1\.\d{1,3}\.\d{1,3})(?: |\Z)", re.ASCII)
_SUCCESS = "2.0.0"
_EXPIRED = "4.4.7"
_FAILED = "5.0.0"
# X.6.7: RFC 6531, section 3.3.
_OF_CODES: Mapping[Code, str] = {
    Code.SENDER_REFUSED: "5.1.0",
    Code.RECIPIENT_REFUSED: "5.1.0",
    Code.MESSAGE_TOO_LARGE: "5.3.4",
    Code.EIGHT_BIT_UNSUPPORTED: "5.6.3",
    Code.SMTPUTF8_UNSUPPORTED: "5.6.7",
}


def status_of(state: State, code: Code | None, reply: str | None) -> str:
    """Return the code for a recipient that was sent, has failed or has expired.

    `code` and `reply` are the last attempt's; the reply as the sender may see it.
    """
    found = _ENHANCED.match(reply or "")
    if found is not None:
        return found[2]
    if state is State.SENT:
        return _SUCCESS
    if state is State.EXPIRED or code is None:
        return _EXPIRED
    return _OF_CODES.get(code, _FAILED)
