"""What was saved by others while somebody was typing: by whom, when, and what is different.

So nobody writes over what they have not seen, and nobody has to type anything twice.
"""

from collections.abc import Mapping
from typing import Any

from smarthost.web.pages.page import PageCall

_MOST_SHOWN = 20


async def conflict_of(
    call: PageCall,
    seen: str,
    in_force: Mapping[str, str | bool],
    typed: Mapping[str, str | bool],
) -> dict[str, Any]:
    """Return what a page tells of a conflict.

    `seen` is the revision that the form was drawn with. `since` are the entries of the history
    after it, newest first; `differences` the fields whose values in force are not those typed.
    """
    number = int(seen) if seen.isascii() and seen.isdigit() else 0
    told = await call.ask("getSmtpSettingsHistory", query={"limit": str(_MOST_SHOWN)})
    return {
        "since": [entry for entry in told.value if entry["revision"] > number],
        "differences": [
            {"name": name, "theirs": theirs, "mine": typed[name]}
            for name, theirs in in_force.items()
            if theirs != typed[name]
        ],
    }
