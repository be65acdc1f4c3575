"""Secrets and signatures of webhooks, as Standard Webhooks 1.0.0 has them.

Whoever receives an event proves with the secret that it comes from here, was not changed, and is
no older one played again. Each URL has a secret of its own: a former receiver cannot speak to the
next one in our name.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable

import msgspec

from smarthost.secret import Secret

_PREFIX = "whsec_"
_SECRET_OCTETS = 32  # the specification asks for 24 to 64


class Receiver(msgspec.Struct, frozen=True, kw_only=True):
    """The one receiver that a secret is shared with."""

    portal_id: str
    url: str

    def parts(self) -> tuple[bytes, ...]:
        """Return all that the sealed secret is bound to, its purpose first."""
        return (b"smarthost webhook secret", self.portal_id.encode(), self.url.encode())


def new_secret(random_bytes: Callable[[int], bytes]) -> Secret:
    """Make a secret, in the form in which it is shown: `whsec_` and base64."""
    return Secret(_PREFIX + base64.b64encode(random_bytes(_SECRET_OCTETS)).decode())


def signed_headers(
    secret: Secret, *, event_id: str, at_seconds: int, payload: bytes
) -> list[tuple[bytes, bytes]]:
    """Return the headers that tell an event's id, the time of this try, and the signature.

    `at_seconds` are whole seconds since 1970. The id has no full stop in it, which would let
    other parts be signed alike.
    """
    key = base64.b64decode(secret.reveal().removeprefix(_PREFIX))
    identifier, timestamp = event_id.encode("ascii"), b"%d" % at_seconds
    signed = b"%b.%b.%b" % (identifier, timestamp, payload)
    signature = base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
    return [
        (b"webhook-id", identifier),
        (b"webhook-timestamp", timestamp),
        (b"webhook-signature", b"v1," + signature),
    ]
