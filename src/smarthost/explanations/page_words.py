"""The words of the pages, one file a page in the same folder of a language as the explanations.

An entry is a text with `{names}` in it, or several texts by what they are for: `one` and `other`
where a number decides, or the words of a vocabulary such as states. None holds markup.
"""

from functools import cache
from importlib import resources

import msgspec

Entry = str | dict[str, str]
Entries = dict[str, Entry]

_LANGUAGE = "en"


@cache
def page_words(page: str, language: str = _LANGUAGE) -> Entries:
    """Return the words of a page. Raises `FileNotFoundError` for one that there is not."""
    folder = resources.files("smarthost.explanations") / "words" / language / "pages"
    return msgspec.json.decode((folder / f"{page}.json").read_bytes(), type=Entries)


def filled(text: str, **values: object) -> str:
    """Return a text with its `{names}` filled in; a value with braces stays as it is."""
    return text.format_map(values)


def counted(entry: dict[str, str], count: int) -> str:
    """Return the text for so many, with `{count}` filled in."""
    return filled(entry["one" if count == 1 else "other"], count=f"{count:,}")
