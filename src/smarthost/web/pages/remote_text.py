"""Shows what others have written, such as subjects and replies, so that it can play no tricks.

Escaping keeps it from being markup. What is left are characters that nobody sees: those that turn
the order of what follows, so that a name seems to end otherwise than it does, and controls. They
are shown by their numbers, and what stands beside the text keeps its own order (UAX #9).
"""

import re

from markupsafe import Markup, escape

# Controls but for tab and line feed, separators, halves of characters, and what embeds, overrides
# or isolates a direction. The marks of a direction (U+200E, U+200F) stay: right-to-left text needs
# them, and they turn nothing.
_UNSEEN = re.compile(
    r"([\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff])"
)
_ELLIPSIS = "…"


def visible(text: str) -> Markup:
    """Return a text with the unseen characters as numbers, such as `U+202E`."""
    shown = Markup('<span class="unseen">U+{:04X}</span>')
    parts = _UNSEEN.split(text)
    return Markup("").join(
        shown.format(ord(part)) if at % 2 else escape(part)  # every other one is a match
        for at, part in enumerate(parts)
    )


def remote(text: str) -> Markup:
    """Return a text as `visible` does, whose direction is its own affair; ASCII has none."""
    return visible(text) if text.isascii() else Markup("<bdi>{}</bdi>").format(visible(text))


def shortened(text: str, most: int) -> str:
    """Return at most so many characters of a text."""
    return text if len(text) <= most else text[: most - 1].rstrip() + _ELLIPSIS
