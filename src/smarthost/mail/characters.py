"""Finds the characters that a person does not see.

Control characters end SMTP commands and header lines; zero-width and bidirectional ones make two
different texts look alike. Both are refused wherever a person types a name or an address.
"""

# Letters and marks that show nothing, from Default_Ignorable_Code_Point of Unicode's
# DerivedCoreProperties: str.isprintable() lets them pass. U+2800 is the blank Braille pattern.
_SHOWS_NOTHING = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
)
_VARIATION_SELECTORS = (("\ufe00", "\ufe0f"), ("\U000e0100", "\U000e01ef"))

DIRECTIONAL = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They turn the order of what is shown: a file's name then seems to end otherwise than it does."""


def hidden_character(text: str) -> str | None:
    """Give the first character that does not show itself, or None.

    Hidden are all of Unicode's categories Cc, Cf, Cs, Co, Cn, Zl and Zp, every blank but U+0020,
    and what shows nothing although it is a letter or a mark.
    """
    if text.isascii() and text.isprintable():
        return None
    return next((char for char in text if _is_hidden(char)), None)


def named(char: str) -> str:
    """Name a character so that it is safe in any text: `"("`, or `U+200B` if it is not ASCII."""
    return f'"{char}"' if char.isascii() and char.isprintable() else f"U+{ord(char):04X}"


def _is_hidden(char: str) -> bool:
    # str.isprintable() is false for the categories above and true for U+0020.
    return (
        not char.isprintable()
        or char in _SHOWS_NOTHING
        or any(first <= char <= last for first, last in _VARIATION_SELECTORS)
    )
