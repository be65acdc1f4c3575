from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import falcon.asgi
import pytest
from falcon import testing

from smarthost.web.errors import RequestError
from smarthost.web.reading import read_body

LARGEST = 1000
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
    assert await read_body(request(len(BODY), BODY[:9], BODY[9:]), LARGEST) == BODY


async def test_a_body_that_was_cut_off_is_refused_though_its_json_is_whole() -> None:
    with pytest.raises(RequestError) as caught:
        await read_body(request(len(BODY) + 1, BODY), LARGEST)
    assert caught.value.status is HTTPStatus.BAD_REQUEST
    assert "cut off" in caught.value.message


@pytest.mark.parametrize("announced", [len(BODY), 0])
async def test_a_body_is_read_up_to_what_is_allowed(announced: int) -> None:
    whole = request(announced, BODY) if announced else chunked(BODY)
    assert await read_body(whole, len(BODY)) == BODY

    with pytest.raises(RequestError) as caught:
        await read_body(request(announced, BODY) if announced else chunked(BODY), len(BODY) - 1)
    assert caught.value.status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert caught.value.headers == {"Connection": "close"}


def chunked(*parts: bytes) -> falcon.asgi.Request:
    """A request that does not say how long its body is."""
    headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    events: list[dict[str, Any]] = [
        {"type": "http.request", "body": part, "more_body": True} for part in parts
    ]
    scope = testing.create_scope(method="POST", headers=headers)
    return falcon.asgi.Request(scope, _receiving(events))
