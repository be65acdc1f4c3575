"""What is told of a relay's certificate, also of one that was refused.

Python's TLS gives out nothing of a handshake that failed. So a refused certificate is read over
one more connection to the same address, which shakes hands without proof, reads, and hangs up:
behind the handshake nothing is said on it, so nobody learns anything.
"""

import ssl

from smarthost.clock import MICROSECONDS, Clock, moment
from smarthost.delivery.relay import RelaySettings
from smarthost.smtp.client import Client
from smarthost.smtp.errors import Reason, SmtpError
from smarthost.smtp.tls import Certificate

REFUSED = frozenset({Reason.UNTRUSTED, Reason.EXPIRED, Reason.WRONG_NAME})
"""Why a certificate is refused."""

_DAY = 86_400 * MICROSECONDS
_SECONDS = 5.0  # the relay has just shown that it answers


def days_left(certificate: Certificate, now: int) -> int:
    """Return the whole days until it ends, below 0 behind that; `now` is a `Clock.now`."""
    return (certificate.expires_at - now) // _DAY


def seen(certificate: Certificate, now: int) -> dict[str, object]:
    """Return what a step tells of a certificate, as values that JSON knows."""
    return {
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "names": list(certificate.names),
        "notBefore": _written(certificate.starts_at),
        "notAfter": _written(certificate.expires_at),
        "daysLeft": days_left(certificate, now),
    }


async def refused_certificate(
    address: str,
    settings: RelaySettings,
    *,
    context: ssl.SSLContext,
    clock: Clock,
    deadline: float,
) -> Certificate | None:
    """Return what the relay at `address` shows; None if it does not show it once more.

    `address` has passed the gate. `context` verifies nothing. `deadline` is a moment of the
    clock's `monotonic()`.
    """
    deadline = min(deadline, clock.monotonic() + _SECONDS)
    try:
        client = await Client.connect(address, settings.port, clock=clock, deadline=deadline)
    except SmtpError:
        return None
    try:
        await _shake_hands(client, settings, context)
    except SmtpError:
        return None
    else:
        return client.certificate
    finally:
        client.close()


async def _shake_hands(client: Client, settings: RelaySettings, context: ssl.SSLContext) -> None:
    if settings.tls_from_the_first_byte:
        await client.implicit_tls(context, settings.host)
        return
    await client.greeting()
    await client.ehlo(settings.helo_name)
    await client.start_tls(context, settings.host)


def _written(at: int) -> str:
    """Return a moment as RFC 3339 has it."""
    return f"{moment(at):%Y-%m-%dT%H:%M:%SZ}"
