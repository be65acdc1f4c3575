"""The headers of answers, each described once."""

from typing import Any

_ON_EVERY = ("Cache-Control", "X-Request-Id")
ON_ALL = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", *_ON_EVERY)
"""What every answer has."""
ON_ALL_EMAILS = ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", *_ON_EVERY)
"""The same under /emails."""

NOTICE = "X-Smarthost-Notice"
OAUTH2_ENDED = "The OAuth2 sign-in has ended."

_COUNT = {"type": "integer", "minimum": 0}
_TEXT = {"type": "string"}


def header_components() -> dict[str, Any]:
    """Return the Headers of OpenAPI by name."""
    rows = (
        ("X-RateLimit-Limit", "How many requests a minute are answered.", _COUNT, 1500),
        ("X-RateLimit-Remaining", "How many are left within this minute.", _COUNT, 1499),
        (
            "X-RateLimit-Reset",
            "When the next minute begins, in seconds since 1970 UTC.",
            _COUNT,
            1795370280,
        ),
        ("ratelimit-limit", "How many requests a minute are answered.", _COUNT, 1500),
        ("ratelimit-remaining", "How many are left within this minute.", _COUNT, 1499),
        ("ratelimit-reset", "When the next minute begins, in seconds from now.", _COUNT, 12),
        ("Cache-Control", "Answers are not to be kept.", {"const": "no-store"}, "no-store"),
        (
            "X-Request-Id",
            "By which the operator finds this request in the log.",
            {"type": "string", "format": "uuid"},
            "01a20468-4cc9-7c09-8755-1f6d92863ab2",
        ),
        (
            "ETag",
            "The settings' revision, for `If-Match`.",
            {"type": "string", "pattern": '^"[0-9]+"$'},
            '"7"',
        ),
        ("Allow", "The methods that this path takes.", _TEXT, "DELETE, GET, HEAD, OPTIONS, POST"),
        ("WWW-Authenticate", "How to say who is asking.", _TEXT, 'Bearer realm="Smarthost"'),
        (NOTICE, "What the change has ended besides; absent: nothing.", _TEXT, OAUTH2_ENDED),
        ("Retry-After", "When to try again, in seconds.", {"type": "integer", "minimum": 1}, 12),
    )
    return {
        name: {
            "description": description,
            "required": name != NOTICE,
            "schema": schema,
            "example": example,
        }
        for name, description, schema, example in rows
    }


def header_references(*names: str) -> dict[str, Any]:
    """Return references to headers of the document."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
