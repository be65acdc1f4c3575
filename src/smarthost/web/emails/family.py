"""What the end points under /emails have in common: the shapes of Resend's API."""

from typing import Any

import msgspec

from smarthost.clock import MICROSECONDS
from smarthost.web.emails.decoding import decoder
from smarthost.web.emails.errors import failure, refusal_of
from smarthost.web.errors import seconds_until
from smarthost.web.family import Family
from smarthost.web.rate_limit import Quota

LARGEST_BODY = 56 << 20
"""Octets of a request: a message of 40 MiB in base64 fits."""

PREFIX = "/emails"
_encoder = msgspec.json.Encoder()


def _success(value: Any, _href: str, _action: str) -> bytes:  # noqa: ANN401 - any answer
    return _encoder.encode(value)


def _limit_headers(quota: Quota, now: int) -> dict[str, str]:
    return {
        "ratelimit-limit": str(quota.limit),
        "ratelimit-remaining": str(quota.remaining),
        "ratelimit-reset": str(seconds_until(quota.reset * MICROSECONDS, now)),
    }


EMAILS = Family(
    prefixes=(PREFIX,),
    largest_body=LARGEST_BODY,
    decoder=decoder,
    success=_success,
    refusal_of=refusal_of,
    failure=failure,
    limit_headers=_limit_headers,
)
