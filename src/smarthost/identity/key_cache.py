"""The issuer's keys, kept in memory and fetched anew as they age or one is missing.

Nobody waits while the keys at hand will do. Whatever tokens are shown, the issuer is asked once a
minute at most; while it cannot be reached, the keys that it had last are good for a day, since a
provider that is away should not lock everybody out.
"""

import asyncio

import structlog

from smarthost.clock import Clock
from smarthost.http_client.client import HttpClient
from smarthost.http_client.model import Answer, Failure, NoAnswerError
from smarthost.identity.keys import (
    BadIssuerError,
    Key,
    discovery_url,
    read_discovery,
    read_keys,
    the_one,
)
from smarthost.identity.model import IssuerUnavailableError

log = structlog.get_logger("smarthost.identity")

DEADLINE_SECONDS = 5.0
"""For each of the two requests, from the look-up of the name on."""
LARGEST_ANSWER = 128 * 1024
"""Octets. Certificates beside the keys make a set of them long."""
RENEWED_AFTER_SECONDS = 3600.0
GOOD_FOR_SECONDS = 86_400.0
"""How long keys are used of an issuer that cannot be reached any more."""
BETWEEN_SECONDS = 60.0
"""From one request to the next, whatever came of it."""

_HEADERS = ((b"Accept", b"application/json"),)


class KeyCache:
    """Finds keys; it belongs to one event loop."""

    def __init__(self, issuer: str, http: HttpClient, clock: Clock) -> None:
        self._issuer = issuer
        self._http = http
        self._clock = clock
        self._keys: tuple[Key, ...] = ()
        self._fetched_at = float("-inf")
        """By the clock's `monotonic()`, as `_asked_at`."""
        self._asked_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    async def find(self, algorithm: str, key_id: str | None) -> Key | None:
        """Return the key of a token, None if the issuer has none such.

        Raises `IssuerUnavailableError` where there are no keys to look among.
        """
        found = the_one(self._good_keys(), algorithm, key_id)
        if found is not None:
            if self._age() > RENEWED_AFTER_SECONDS:
                self._ask()
            return found
        asking = self._ask()
        if asking is not None:
            await asyncio.shield(asking)  # who gives up waiting ends it for nobody else
        keys = self._good_keys()
        if not keys:
            raise IssuerUnavailableError
        return the_one(keys, algorithm, key_id)

    async def close(self) -> None:
        """End what is being asked."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})

    def _age(self) -> float:
        return self._clock.monotonic() - self._fetched_at

    def _good_keys(self) -> tuple[Key, ...]:
        return self._keys if self._age() <= GOOD_FOR_SECONDS else ()

    def _ask(self) -> asyncio.Task[None] | None:
        """Return the request that runs, a new one if it is time for that, else None."""
        now = self._clock.monotonic()
        if self._asking is None and now - self._asked_at >= BETWEEN_SECONDS:
            self._asked_at = now
            self._asking = asyncio.create_task(self._renew())
        return self._asking

    async def _renew(self) -> None:
        try:
            self._keys = await fetch_keys(self._issuer, self._http)
            self._fetched_at = self._asked_at
            log.debug("keys of the issuer fetched", issuer=self._issuer, keys=len(self._keys))
        except BadIssuerError as error:
            log.warning("keys of the issuer not fetched", issuer=self._issuer, reason=str(error))
        finally:
            self._asking = None


async def fetch_keys(issuer: str, http: HttpClient) -> tuple[Key, ...]:
    """Ask an issuer for its description and its keys. Raises `BadIssuerError`."""
    place = read_discovery(await _asked(http, discovery_url(issuer)), issuer)
    return read_keys(await _asked(http, place))


async def _asked(http: HttpClient, url: str) -> Answer:
    try:
        return await http.get(url, headers=_HEADERS)
    except NoAnswerError as error:
        raise BadIssuerError(_NO_ANSWER[error.failure]) from error


_NO_ANSWER = {
    Failure.BAD_URL: "Its URL, or that of its keys, cannot be used.",
    Failure.NOT_FOUND: "Its host name does not exist.",
    Failure.LOOKUP_FAILED: "Its host name could not be looked up.",
    Failure.FORBIDDEN: "This installation may not connect to it.",
    Failure.UNREACHABLE: "It cannot be reached.",
    Failure.TLS_FAILED: "No TLS connection with it could be made.",
    Failure.TIMED_OUT: "It did not answer in time.",
    Failure.BROKEN_OFF: "The connection to it broke off.",
    Failure.REDIRECTED: "It points elsewhere, which is not followed.",
    Failure.ENCODED: "Its answer is compressed.",
    Failure.TOO_LONG: "Its answer is too long.",
}
