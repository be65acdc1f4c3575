from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import falcon.asgi
import pytest
from falcon import testing

from smarthost.web.errors import RequestError
from smarthost.web.reading import read_body

BODY = b'{"host": "mail.example.com"}'


def request(announced: int, *parts: bytes) -> falcon.asgi.Request:
    """A request whose client sends `parts` and then goes away."""
    headers = {"Content-Type": "application/json", "Content-Length": str(announced)}
    events: list[dict[str, Any]] = [
        {"type": "http.request", "body": part, "more_body": True} for part in parts
    ]
    return falcon.asgi.Request(
        testing.create_scope(method="POST", headers=headers), _receiving(events)
    )


def _receiving(events: list[dict[str, Any]]) -> Callable[[], Awaitable[dict[str, Any]]]:
    async def receive() -> dict[str, Any]:
        return events.pop(0) if events else {"type": "http.disconnect"}

    return receive


async def test_a_body_arrives_in_parts() -> None:
    assert await read_body(request(len(BODY), BODY[:9], BODY[9:])) == BODY


async def test_a_body_that_was_cut_off_is_refused_though_its_json_is_whole() -> None:
    with pytest.raises(RequestError) as caught:
        await read_body(request(len(BODY) + 1, BODY))
    assert caught.value.status is HTTPStatus.BAD_REQUEST
    assert "cut off" in caught.value.message
