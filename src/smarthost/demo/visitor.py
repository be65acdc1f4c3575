"""Uses the service as any program does: over HTTP, with a key.

The standard library's client is enough here, and it asks no proxy of the environment.
"""

import asyncio
import json
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from smarthost.clock import Clock
from smarthost.secret import Secret

SETTINGS = "/api/2.0/smtpsettings/smtp"

_SECONDS = 10.0
_LOOK_SECONDS = 0.2
# A test reads as completed after 40 seconds, whatever has become of it.
_TEST_SECONDS = 60.0


class DemoError(Exception):
    """The service has not answered as it should."""


class ServiceGoneError(DemoError):
    """Nobody takes or keeps a connection: the service is being stopped."""


class Visitor:
    """Somebody with a key to the service at `url`."""

    def __init__(self, url: str, key: Secret, clock: Clock) -> None:
        self._address = urlsplit(url).netloc
        self._key = key
        self._clock = clock

    async def save(self, settings: dict[str, str | int | bool]) -> None:
        """Save settings. Raises `DemoError`, and `ServiceGoneError` when the service stops."""
        await self._ask("POST", SETTINGS, json.dumps(settings))

    async def test(self) -> str:
        """Send a test message; return why it failed, in plain words, or nothing.

        Raises as `save` does.
        """
        until = self._clock.monotonic() + _TEST_SECONDS
        state = await self._ask("GET", f"{SETTINGS}/test")
        while not state["completed"]:
            if self._clock.monotonic() > until:
                raise DemoError("The test message has not come to an end.")
            await self._clock.sleep(_LOOK_SECONDS)
            state = await self._ask("GET", f"{SETTINGS}/test/status")
        return str(state["error"])

    async def _ask(self, method: str, path: str, body: str | None = None) -> Any:  # noqa: ANN401 - whatever JSON holds
        status, answer = await asyncio.to_thread(self._exchange, method, path, body)
        if status != 200:
            raise DemoError(f"The service has answered {status} to {method} {path}.")
        return json.loads(answer)["response"]

    def _exchange(self, method: str, path: str, body: str | None) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {self._key.reveal()}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection = HTTPConnection(self._address, timeout=_SECONDS)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except ConnectionError as error:
            raise ServiceGoneError("The service has gone.") from error
        finally:
            connection.close()
