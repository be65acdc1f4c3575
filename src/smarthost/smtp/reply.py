"""One reply of an SMTP server, as a value: what it says is printable by then."""

from collections.abc import Iterable

import msgspec

TEXT_LIMIT = 200
"""Characters of a reply in one line."""

_HIDDEN = "[hidden]"
_SHORTEST_HIDDEN = 4  # characters: less would turn up in any sentence


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """One reply: `code` 200-559, `lines` the text after the code of each line, at least one.

    `lines` hold printable characters alone; others, and what is no UTF-8, are U+FFFD. `enhanced`
    is the status code of RFC 3463 (`5.7.8`), if the first line starts with one.
    """

    code: int
    enhanced: str | None
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The reply in one line of at most 200 characters: code, enhanced code, what it says."""
        words = [str(self.code)]
        if self.enhanced is not None:
            words.append(self.enhanced)
        for line in self.lines:
            words += self._without_enhanced(line).split()
        text = " ".join(words)
        return text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1] + "…"

    @property
    def positive(self) -> bool:
        """Whether the command was carried out (2yz) or may go on (3yz)."""
        return self.code < 400

    def hiding(self, secrets: Iterable[str]) -> "Reply":
        """Give the reply without these texts, for relays that repeat what they were sent."""
        secrets = tuple(secrets)
        if not secrets:
            return self
        return msgspec.structs.replace(
            self, lines=tuple(hiding(line, secrets) for line in self.lines)
        )

    def _without_enhanced(self, line: str) -> str:
        return line if self.enhanced is None else line.removeprefix(self.enhanced)


def hiding(text: str, secrets: Iterable[str]) -> str:
    """Give a text without these others in it."""
    for secret in secrets:
        if len(secret) >= _SHORTEST_HIDDEN:
            text = text.replace(secret, _HIDDEN)
    return text
