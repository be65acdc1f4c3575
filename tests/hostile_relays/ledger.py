"""Two records of the same mail, the relay's own and ours, as the same kind of line.

The relay's is read from what it has heard and said, octet by octet, by the rules of RFC 5321 and
nothing of ours: what is no whole, valid reply is none.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from smarthost.delivery.outcome import Code, Result, Step
from smarthost.mail_queue.model import Attempted
from tests.hostile_relays.honest import Peer, Turn

TAKEN = "taken"
BROKEN = "broken"
"""Nothing that ends it was said, and the end of the message was not heard."""
UNANSWERED = "unanswered"
"""The end of the message was heard, and no valid reply said."""
UNREAD = "unread"
"""The message was asked for, and nothing of it taken off the wire."""

_REPLY = re.compile(rb"(?:([2-5][0-5]\d)-[^\r\n]*\r\n)*([2-5][0-5]\d)(?: [^\r\n]*)?\r\n")
_PATH = re.compile(rb"<([^>]*)>")
_TEMPORARY_END = 421
# What the relay never hears of: it has said at EHLO what it cannot take.
_LACKS = frozenset({Code.MESSAGE_TOO_LARGE, Code.SMTPUTF8_UNSUPPORTED, Code.EIGHT_BIT_UNSUPPORTED})

Lines = Mapping[tuple[str, str], Sequence[str]]
"""What became of each sender's mail to each recipient, one try after the other."""


class _Heard(msgspec.Struct):
    """One transaction, as the relay heard it."""

    peer: Peer
    sender: str
    mail: int | None
    again: bool
    """Whether the connection had had another one before."""
    recipients: dict[str, int | None]
    data: int | None = None
    asked: bool = False
    """Whether DATA was heard."""
    message: bytes | None = None
    end: int | None = None


def relays_lines(turns: Iterable[Turn]) -> Lines:
    """Read a relay's own record."""
    lines: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in _transactions(turns):
        # Nothing was taken of what met the end of a connection: it may go over another at once.
        if one.mail is None or (one.again and one.mail == _TEMPORARY_END):
            continue
        for recipient, verdict in _verdicts(one).items():
            lines[one.sender, recipient].append(verdict)
    return lines


def messages_taken(turns: Iterable[Turn]) -> list[tuple[str, bytes]]:
    """Give sender and octets of each message for somebody that a relay has said 250 to."""
    return [
        (one.sender, one.message)
        for one in _transactions(turns)
        if one.message is not None
        and _is_yes(one.end)
        and _is_yes(one.mail)
        and any(map(_is_yes, one.recipients.values()))
    ]


def our_lines(attempts: Iterable[tuple[str, Attempted]]) -> Lines:
    """Read our record: senders and what was tried for them, in the order of the tries."""
    lines: dict[tuple[str, str], list[str]] = defaultdict(list)
    for sender, attempted in attempts:
        verdict = _our_verdict(attempted)
        if verdict is not None:
            lines[sender, attempted.address].append(verdict)
    return lines


def agree(ours: Sequence[str], relays: Sequence[str], *, unsure: bool) -> bool:
    """Tell whether both say the same; `unsure`: a yes may have been lost on its way."""
    return len(ours) == len(relays) and all(
        one == other
        or (other == UNREAD and one in {BROKEN, UNANSWERED})
        or (unsure and (one, other) == (UNANSWERED, TAKEN))
        for one, other in zip(ours, relays, strict=True)
    )


def _our_verdict(attempted: Attempted) -> str | None:
    """Give a line of ours; None for what no relay has a line of."""
    if attempted.result is Result.ACCEPTED:
        return TAKEN
    if tuple(Step).index(attempted.step) < tuple(Step).index(Step.SENDER):
        return None
    if attempted.in_doubt:
        return UNANSWERED
    if attempted.reply is not None and attempted.reply[0] in "45":
        return attempted.reply[:3]
    return None if attempted.step is Step.SENDER or attempted.code in _LACKS else BROKEN


def _transactions(turns: Iterable[Turn]) -> list[_Heard]:
    found: list[_Heard] = []
    under_way: dict[Peer, _Heard] = {}
    for turn in turns:
        code, verb = _code(turn.said), turn.heard[:4].upper()
        one = under_way.get(turn.peer)
        if one is not None and one.data == 354 and one.message is None:
            one.message, one.end = turn.heard, code
        elif verb == b"MAIL":
            sender = _path(turn.heard)
            again = one is not None
            one = _Heard(turn.peer, sender, code, again, {})
            under_way[turn.peer] = one
            found.append(one)
        elif one is not None and verb == b"RCPT":
            one.recipients[_path(turn.heard)] = code
        elif one is not None and verb == b"DATA":
            one.asked, one.data = True, code
    return found


def _verdicts(one: _Heard) -> dict[str, str]:
    assert one.mail is not None
    if one.mail >= 400:
        return dict.fromkeys(one.recipients or [""], str(one.mail))
    if _TEMPORARY_END in one.recipients.values():
        return _cut_short(one)
    rest = _rest(one)
    return {
        recipient: BROKEN if code is None else rest if _is_yes(code) else str(code)
        for recipient, code in one.recipients.items()
    }


def _cut_short(one: _Heard) -> dict[str, str]:
    """After a 421 nothing that was taken before counts, and nothing follows."""
    refused = {key: code for key, code in one.recipients.items() if code and code >= 400}
    return {key: str(refused.get(key, _TEMPORARY_END)) for key in one.recipients}


def _rest(one: _Heard) -> str:
    """Say what became of those that were taken at RCPT."""
    if one.data is None or (one.data < 400 and one.data != 354):
        return BROKEN
    if one.data != 354:
        return str(one.data)
    if one.message is None:
        return UNREAD
    if one.end is None:
        return UNANSWERED
    return TAKEN if _is_yes(one.end) else str(one.end)


def _is_yes(code: int | None) -> bool:
    return code is not None and 250 <= code < 260


def _code(said: bytes) -> int | None:
    """Give the code of one whole, valid reply."""
    found = _REPLY.fullmatch(said)
    if found is None or found[1] not in {None, found[2]}:
        return None
    return int(found[2])


def _path(command: bytes) -> str:
    found = _PATH.search(command)
    assert found
    return found[1].decode()
