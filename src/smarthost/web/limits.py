"""How much one HTTP connection, and all of them, may use.

One frozen value, so that the defaults stand together and a test need not wait ten seconds.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one connection, and all of them, may use.

    `handshake_seconds` is the time for a TLS handshake. A head is the request line and the header
    fields. `head_seconds` runs from the start of the connection for its first request, from the
    first octet for a later one; `body_seconds` from the end of the head to the end of the body. A
    body that has come at `body_rate` octets a second or faster gets as long again, up to
    `body_longest_seconds`: e-mails have large files. `idle_seconds` is how long a connection stays
    open between requests: above the 60 seconds that are common in reverse proxies, so that the
    proxy ends it first. `unread_seconds` is how long a client may read nothing of an answer that
    does not fit into the buffers. `drain_octets` and `linger_seconds` bound what is read and
    dropped of a body that was answered before its end. `stop_seconds` is what requests in flight
    get when the server stops.
    """

    handshake_seconds: float = 10.0
    head_octets: int = 65_536
    head_fields: int = 100
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    body_rate: int = 32_768
    body_longest_seconds: float = 300.0
    idle_seconds: float = 65.0
    unread_seconds: float = 30.0
    drain_octets: int = 16 << 20
    linger_seconds: float = 5.0
    connections: int = 2_000
    stop_seconds: int = 5
