"""What `doctor` looks at where others connect to Smarthost: its addresses and its certificate."""

import asyncio
import http.client
import json
import ssl
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from ipaddress import ip_address

from smarthost.app.finding import Finding, bad, good
from smarthost.certificate.pair import CertificateError, Pair, read_pair
from smarthost.clock import Clock, moment
from smarthost.config import Config, ListenAddress
from smarthost.web.api.service import OK
from smarthost.web.server import ListenError, bind

LEAST_DAYS = 21
"""Days below which a certificate should have been renewed: most are at 30."""

_ANSWER_SECONDS = 1.0


async def check_network(config: Config, clock: Clock) -> list[Finding]:
    """Look at the certificate, if there is one, and at all addresses to listen on."""
    return [
        *check_certificate(config, moment(clock.now())),
        *await check_addresses(config),
    ]


def check_certificate(config: Config, now: datetime) -> list[Finding]:
    """Look whether the certificate can be used, for how long, and for which names."""
    if config.tls is None:
        return []
    try:
        pair = read_pair(config.tls.certificate, config.tls.key)
    except CertificateError as error:
        return [bad("certificate", line) for line in str(error).splitlines()]
    faults = [*pair.warnings(now), *_soon_over(pair, now), *_names_missing(config, pair)]
    if faults:
        return [bad("certificate", fault) for fault in faults]
    days = pair.days_left(now)
    return [good("certificate", f"It can be used for {days} days: {', '.join(pair.names)}.")]


async def check_addresses(config: Config) -> list[Finding]:
    """Look whether every address can be listened on, or is held by a running Smarthost."""
    named = {
        "HTTP address": config.http_listen,
        "submission address": config.submission_listen,
        "submission address with TLS": config.submission_tls_listen,
    }
    findings = [_check_address(name, one) for name, one in named.items() if one is not None]
    if all(one.ok for one in findings) or not await asyncio.to_thread(_runs_already, config):
        return findings
    held = "A running Smarthost holds it."
    return [one if one.ok else good(one.check, held) for one in findings]


def _check_address(name: str, address: ListenAddress) -> Finding:
    try:
        with closing(bind(address.host, address.port)):
            return good(name, f"{address.host} port {address.port} is free to listen on.")
    except ListenError as error:
        return bad(name, str(error))


def _soon_over(pair: Pair, now: datetime) -> Iterator[str]:
    days = pair.days_left(now)
    if 0 <= days <= LEAST_DAYS:
        yield f"It expires in {days} days, on {pair.not_after:%Y-%m-%d}. Renew it."


def _names_missing(config: Config, pair: Pair) -> Iterator[str]:
    """Give a sentence for each name that clients are sure to use and the certificate lacks."""
    base = config.base_domain
    if base is not None and not any(name.partition(".")[2] == base for name in pair.names):
        yield f"It names nothing under {base}, where the portals are: *.{base} would do."
    addresses = [config.submission_listen, config.submission_tls_listen]
    if config.http_tls:
        addresses.append(config.http_listen)
    for host in sorted({one.host for one in addresses if one is not None and _is_public(one)}):
        if not pair.covers(host):
            yield f"It does not name {host}, which is listened on."


def _is_public(address: ListenAddress) -> bool:
    """Tell whether clients know the address by a name of its own."""
    try:
        ip_address(address.host)
    except ValueError:
        return address.host != "localhost"
    return False


def _runs_already(config: Config) -> bool:
    address = config.http_listen
    connection = _connection(config, address.reached_at, address.port)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        # What every process answers, whatever its roles; the id marks it as one of ours.
        return "X-Request-Id" in answer.headers and bool(json.load(answer) == OK)
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()


def _connection(config: Config, host: str, port: int) -> http.client.HTTPConnection:
    if config.tls is None or not config.http_tls:
        return http.client.HTTPConnection(host, port, timeout=_ANSWER_SECONDS)
    # Nothing is told here, and nothing secret asked: whoever answers may show what it likes.
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=_ANSWER_SECONDS, context=unverified)
