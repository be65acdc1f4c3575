"""Lists in JSON that are not read past a number of places.

msgspec looks at a list's length when the list is whole, and a long one of small things has filled
the memory by then. An array of so many places is left at the first thing too much.
"""

from typing import Any

import msgspec

_NOTHING = msgspec.Raw()


class Places:
    """Decodes lists."""

    def __init__(self, kind: Any, most: int) -> None:  # noqa: ANN401 - a type
        """Take the type of what is in the lists; `msgspec.Raw`: octets that are not read yet."""
        self._empty = _NOTHING if kind is msgspec.Raw else msgspec.UNSET
        if kind is not msgspec.Raw:
            kind |= msgspec.UnsetType
        names = ((f"place_{at}", kind, self._empty) for at in range(most))
        places = msgspec.defstruct("Places", names, array_like=True, forbid_unknown_fields=True)
        self._decoder = msgspec.json.Decoder(places)

    def decode(self, body: bytes | msgspec.Raw) -> list[Any]:
        """Read a list. Raises what msgspec does, `ValidationError` for a longer one."""
        parts = msgspec.structs.astuple(self._decoder.decode(body))
        return [part for part in parts if part is not self._empty]
