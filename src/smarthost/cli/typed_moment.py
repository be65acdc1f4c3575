"""A moment that has passed, as it is typed: `2 hours ago`, or a date and time."""

from smarthost.cli.exit_codes import UsageError
from smarthost.sending.moments import MomentError, parse_moment


def typed_moment(option: str, text: str, now: int) -> int:
    """Return the moment that `text`, the value of `option`, names.

    It is in microseconds since 1970, UTC, as `now` is. Raises `UsageError`.
    """
    ago = text.strip().removesuffix("ago")
    for said, backwards in ((f"in {ago}", True), (text, False)):
        try:
            at = parse_moment(said, now)
        except MomentError:
            continue
        return 2 * now - at if backwards else at
    raise UsageError(
        f"{option}: Write it as '2 hours ago', or as in ISO 8601, 2026-11-22T17:57:53Z."
    )
