"""A value that does not show itself.

Passwords and keys travel as `Secret`, so that a log line, a traceback or a careless f-string
prints `***`. Whoever needs the text has to say so with `reveal()`, which is easy to search for.
"""

import hmac
from typing import NoReturn, final

_MASK = "***"


@final
class Secret:
    """Text that must not be shown: a password, a token, a key."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Give the text itself, for the one place that needs it."""
        return self._text

    def __repr__(self) -> str:
        return _MASK

    def __format__(self, _spec: str) -> str:
        return _MASK

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    # Two secrets are compared, never looked up: a hash would let them be probed for.
    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")
