"""Takes the names that programs have for fields out of what a page says.

Advice names a field behind its word, as in "Check the host (host)": who reads the API's answer or
a command's finds it by that. A page has words of its own beside its fields, and links to them.
"""

import re

from smarthost.explanations.page_words import page_words

# `check_parts.js` has the same.
_IN_BRACKETS = re.compile(r" \((\w+)\)", re.ASCII)


def without_names(text: str) -> str:
    """Return advice of the catalogue without the fields' names in brackets."""
    named = page_words("settings")["fields"]
    return _IN_BRACKETS.sub(lambda found: "" if found[1] in named else found[0], text)
