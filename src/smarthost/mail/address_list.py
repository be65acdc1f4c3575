"""The lists of addresses in a message's header, as other programs write them.

This is RFC 5322's syntax with comments and groups, which people never type and `parse_mailbox`
does not take. Each address in it is read by the one parser of addresses, and what two programs
might read in two ways is refused: an address that was checked is the one that gets the mail.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from smarthost.mail.address import AddressError, parse_address
from smarthost.mail.encoded_words import one_line, shown
from smarthost.mail.mailbox import Mailbox

_TOKEN = re.compile(
    r'"(?:[^"\\]|\\.)*"'  # a quoted-string
    r"|<[^<>]*>|\[[^\[\]]*\]"  # an address in brackets, a domain literal
    r'|[,;:()\\"<>\[\]]'  # what parts, or is left over
    r'|[^,;:()\\"<>\[\]]+',
    re.DOTALL,
)
_IN_COMMENT = re.compile(r"[()]|\\?[^()\\]+|\\.|\\", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MISPLACED = frozenset(';:\\"<>[])')
_DEEPEST = 20
# Of one header, those in names counted too: reading an address takes its time, and no message has
# more than 1,000 recipients.
_MOST_AT_SIGNS = 2_500
_SHOWN = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Mailboxes under one name, such as `undisclosed-recipients:;` (RFC 5322, section 3.4)."""

    name: str
    mailboxes: tuple[Mailbox, ...]


def parse_mailbox_list(value: str) -> tuple[Mailbox, ...]:
    """Give every mailbox of an unfolded header value such as To's, in order; groups are opened.

    Encoded words in names are read, whatever their charset. A comment behind an address is its
    name if it has no other; further comments are dropped. An empty value has no mailbox.

    Raises `AddressError` on what is no such list, with a message that names the wrong piece, and
    on more than about 2,500 mailboxes.
    """
    return tuple(
        mailbox
        for entry in parse_address_list(value)
        for mailbox in (entry.mailboxes if isinstance(entry, Group) else (entry,))
    )


def parse_address_list(value: str) -> tuple[Mailbox | Group, ...]:
    """Give the mailboxes and groups of an unfolded header value; see `parse_mailbox_list`."""
    if value.count("@") > _MOST_AT_SIGNS:
        raise AddressError("These are too many addresses for one header.")
    entries: list[Mailbox | Group] = []
    members: list[Mailbox] = []
    group: str | None = None
    piece = _Piece()
    for sign in _signs(value):
        if sign == ":" and group is None and piece.is_name():
            group = piece.name()
        elif sign == "," or (sign == ";" and group is not None):
            if mailbox := piece.mailbox():
                (entries if group is None else members).append(mailbox)
            if sign == ";":
                entries.append(Group(name=group or "", mailboxes=tuple(members)))
                members, group = [], None
        else:
            piece.take(sign)
            continue
        piece = _Piece()
    if group is not None:
        raise AddressError(f"The group {group[:_SHOWN]} is not closed by a semicolon.")
    last = piece.mailbox()
    return (*entries, last) if last else tuple(entries)


class _Piece:
    """What stands between two commas."""

    def __init__(self) -> None:
        self._words: list[str] = []
        self._comment = ""
        self._angle: str | None = None

    def take(self, sign: str) -> None:
        if sign.startswith("("):
            if self._words:
                self._comment = shown(_ESCAPED.sub(r"\1", sign[1:-1]).strip())
        elif not sign.strip():
            pass
        elif sign in _MISPLACED:
            raise AddressError(_wrong(sign))
        elif self._angle is not None:
            raise AddressError(f"Nothing follows {self._angle[:_SHOWN]} but a comma.")
        elif sign.startswith("<"):
            self._angle = sign
        else:
            self._words.append(sign)
            self._comment = ""

    def is_name(self) -> bool:
        return bool(self._words) and self._angle is None and "@" not in "".join(self._words)

    def name(self) -> str:
        return " ".join(_text(word) for word in self._words)

    def mailbox(self) -> Mailbox | None:
        if self._angle is None:
            address, name = "".join(self._words), self._comment
            if not address:
                return None
        else:
            address, name = self._angle[1:-1], self.name() or self._comment
            self._check_name(self._angle)
        # Folding may have left tabs around it.
        return Mailbox(address=parse_address(address.strip(" \t")), display_name=name or None)

    def _check_name(self, angle: str) -> None:
        for word in self._words:
            if word.startswith("["):
                raise AddressError(_wrong("["))
            # Programs differ in which of the two gets the mail.
            if "@" in word and not word.startswith('"'):
                raise AddressError(f"Two addresses stand before one comma: {angle[:_SHOWN]}")


def _signs(value: str) -> Iterable[str]:
    """Give the signs of the text; a comment is one, with all that is in it."""
    if "(" in value:
        return _signs_and_comments(value)
    return (match[0] for match in _TOKEN.finditer(value))


def _signs_and_comments(value: str) -> Iterator[str]:
    at = 0
    while at < len(value):
        match = _TOKEN.match(value, at)
        if match is None:
            raise AssertionError("The pattern takes any character.")
        end = _comment_end(value, at) if match[0] == "(" else match.end()
        yield value[at:end]
        at = end


def _comment_end(value: str, begin: int) -> int:
    depth = 0
    for match in _IN_COMMENT.finditer(value, begin):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
        if depth > _DEEPEST:
            break
    raise AddressError("A comment is not closed: ( and ) come in pairs.")


def _text(word: str) -> str:
    if word.startswith('"'):
        return one_line(_ESCAPED.sub(r"\1", word[1:-1]))
    return shown(" ".join(word.split()))


def _wrong(sign: str) -> str:
    return (
        f"{sign} stands where it parts nothing. Addresses are parted by commas, and a name with "
        "such a character stands in quotation marks."
    )
