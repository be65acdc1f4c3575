"""What one check of `doctor` has found."""

import msgspec


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one check has found; `message` says what to do if it is not `ok`."""

    check: str
    ok: bool
    message: str


def good(check: str, message: str) -> Finding:
    """Return that everything is as it should be."""
    return Finding(check=check, ok=True, message=message)


def bad(check: str, message: str) -> Finding:
    """Return what is wrong, and what to do."""
    return Finding(check=check, ok=False, message=message)
