"""Words that somebody looks for in what a list shows of a message.

All of them have to be there, each as a part of something, without regard to case. The JSON of a
message's details is looked through first: most messages hold none of the words, and reading each
one's details would be most of what a search costs.
"""

from unicodedata import normalize

import msgspec

from smarthost.mail_queue.accepted.model import Details

MOST_WORDS = 10
LONGEST_SEARCH = 200
"""Characters."""


class SearchError(ValueError):
    """Nothing can be looked for by this text; the message says what can."""


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for; nothing: every message has it."""

    words: tuple[str, ...] = ()
    """Folded: without a difference of case."""
    in_json: tuple[str, ...] = ()
    """The same, as they stand in JSON."""

    def may_be_in(self, details: str) -> bool:
        """Tell whether the JSON of a message's details could hold them; False is sure."""
        text = _folded(details)
        return all(word in text for word in self.in_json)

    def are_in(self, details: Details) -> bool:
        """Tell whether subject, addresses with their names, and Message-ID hold all of them."""
        if not self.words:
            return True
        people = (details.from_, *details.to, *details.cc, *details.bcc)
        text = _folded("\n".join((details.subject, *people, details.message_id)))
        return all(word in text for word in self.words)


def parse_words(text: str) -> Words:
    """Return the words of `text`, which white space parts.

    Raises `SearchError` where there is none, or more than 10 words or 200 characters.
    """
    words = tuple(dict.fromkeys(_folded(text).split()))
    if not words or len(words) > MOST_WORDS or len(text) > LONGEST_SEARCH:
        raise SearchError(
            f"Give 1 to {MOST_WORDS} words, of at most {LONGEST_SEARCH} characters together."
        )
    try:
        in_json = tuple(msgspec.json.encode(word).decode()[1:-1] for word in words)
    except UnicodeEncodeError:  # half of a character, from a command line that is no UTF-8
        raise SearchError("This is no text that a message could hold.") from None
    return Words(words=words, in_json=in_json)


def _folded(text: str) -> str:
    return normalize("NFC", text.casefold())
