"""Octets in a charset that a message names, read for people.

A message may name any charset, one that nobody knows, or a wrong one. Reading never fails and
never takes longer than the text is long: what cannot be read shows as U+FFFD.
"""

import codecs
import re
from encodings import normalize_encoding
from encodings.aliases import aliases
from functools import lru_cache

# Python knows these by name too, but they are no charsets of mail, and two of them take
# quadratic time.
_NO_CHARSETS = frozenset(
    {"idna", "punycode", "raw-unicode-escape", "unicode-escape", "undefined", "mbcs", "oem"}
)
_LONGEST_NAME = 40
# All names that Python knows. Asked for another one, it looks for a file of that name and keeps
# the name for ever; a message may have thousands of them.
_NAMES = frozenset(aliases) | frozenset(aliases.values()) | frozenset(
    {
        "cp1006", "cp720", "cp737", "cp856", "cp874", "cp875", "koi8_t", "koi8_u", "mac_arabic",
        "mac_croatian", "mac_farsi", "mac_romanian", "palmos", "utf_8_sig",
    }
)  # fmt: skip
# UTF-7 can name one by itself, and no UTF-8 can carry it.
_SURROGATE = re.compile("[\ud800-\udfff]")


def text_of(octets: bytes, charset: str) -> str:
    """Read `octets` as `charset` says, or as UTF-8 if it says nothing that is known."""
    try:
        text = octets.decode(_known(charset), errors="replace")
    except (LookupError, ValueError):
        return octets.decode(errors="replace")
    return _SURROGATE.sub("\ufffd", text)


@lru_cache(maxsize=256)
def _known(charset: str) -> str:
    if not charset.isascii() or len(charset) > _LONGEST_NAME:
        return "utf-8"
    if normalize_encoding(charset).lower().replace(".", "_") not in _NAMES:
        return "utf-8"
    try:
        name = codecs.lookup(charset).name.replace("_", "-")
    except (LookupError, ValueError):
        return "utf-8"
    # US-ASCII is what mail calls itself by default, and UTF-8 reads it.
    return "utf-8" if name in _NO_CHARSETS or name == "ascii" else name
