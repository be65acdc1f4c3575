"""What the end points under one path have in common, where another family has something else.

The way of a request is the same for all of them (`pipeline.py`). How a body is decoded and an
answer wrapped, what a refusal looks like and which headers tell the limits is one value, so that
an API of other shapes needs no second way.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from smarthost.web.content import LARGEST_BODY
from smarthost.web.decoding import BodyDecoder
from smarthost.web.envelope import failure, success
from smarthost.web.errors import Refusal, refusal_of
from smarthost.web.rate_limit import Quota

Decode = Callable[[bytes], Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """The shapes of one API; the functions are pure."""

    prefixes: tuple[str, ...]
    """The paths that all its end points are at or under; none: those of no other family."""
    largest_body: int
    """Octets of a request body."""
    decoder: Callable[[Any], Decode]
    """From a body's type to what reads such bodies; that raises `RequestError`."""
    success: Callable[[Any, str, str], bytes]
    """The answer with this value to the request with this URL and method, as JSON."""
    refusal_of: Callable[[Exception, int], Refusal | None]
    """How an error is answered at a moment (microseconds since 1970); None: a fault of ours."""
    failure: Callable[[Refusal], bytes]
    """A refusal as JSON."""
    limit_headers: Callable[[Quota, int], dict[str, str]]
    """The headers that tell a quota at a moment."""
    media_type: str = "application/json"
    """Of a refusal."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Those of every answer, found or refused."""

    def has(self, path: str) -> bool:
        """Whether a path is one of this family's, existing or not."""
        return any(path == one or path.startswith(f"{one}/") for one in self.prefixes)


def family_of(path: str, families: Iterable[Family]) -> Family:
    """Return the family that answers for `path`: one of these, or the contract's."""
    return next((family for family in families if family.has(path)), CONTRACT)


def _enveloped(value: Any, href: str, action: str) -> bytes:  # noqa: ANN401 - any answer
    return success(value, href=href, action=action)


def _failure(refusal: Refusal) -> bytes:
    return failure(refusal.status, refusal.message, refusal.fields)


def _limit_headers(quota: Quota, _now: int) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(quota.limit),
        "X-RateLimit-Remaining": str(quota.remaining),
        "X-RateLimit-Reset": str(quota.reset),
    }


CONTRACT = Family(
    prefixes=(),
    largest_body=LARGEST_BODY,
    decoder=lambda body: BodyDecoder(body).decode,
    success=_enveloped,
    refusal_of=refusal_of,
    failure=_failure,
    limit_headers=_limit_headers,
)
"""The contract's shapes; whatever has no family of its own is answered in them."""
