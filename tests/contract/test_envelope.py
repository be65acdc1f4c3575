"""The envelope, byte for byte where it matters, and the headers that every answer has."""

import json
import time
from typing import Any

import pytest

from tests.contract.bodies import LOGIN, OPEN
from tests.contract.service import AUTHENTICATION, KEYS, SETTINGS, Service

EMPTY = (
    b'{"response":{"port":25,"credentialsUserPassword":"","enableSSL":false,"enableAuth":false,'
    b'"useNtlm":false,"isDefaultSettings":true},"count":1,"links":[{"href":"%b","action":"%b"}],'
    b'"status":0,"statusCode":200}'
)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_success_is_this_text(service: Service, method: str) -> None:
    href = f"{service.url}{SETTINGS}".encode()

    assert service.ask(method, SETTINGS, key=service.key).body == EMPTY % (href, method.encode())


@pytest.mark.parametrize(
    ("path", "host"),
    [
        (f"{SETTINGS}?a=b%20c&d=%C3%A4", "mail.example"),
        (f"{SETTINGS}?", "mail.example:8025"),
        ("/api/2.0/smtpsettings/%73mtp", "[::1]:8025"),
    ],
)
def test_the_link_is_the_url_that_was_asked_for(service: Service, path: str, host: str) -> None:
    reply = service.ask("GET", path, headers={"Host": host}, key=service.key)

    href = f"http://{host}{path.removesuffix('?')}"
    assert reply.json()["links"] == [{"href": href, "action": "GET"}]


def test_a_post_says_so_in_its_link(service: Service) -> None:
    reply = service.ask("POST", SETTINGS, OPEN, key=service.key)
    service.ask("DELETE", SETTINGS, key=service.key)

    assert reply.json()["links"][0]["action"] == "POST"


def test_count_is_the_length_of_a_list(service: Service) -> None:
    service.open_key()
    listed = service.ask("GET", KEYS, key=service.key).json()

    assert listed["count"] == len(listed["response"]) >= 2


def test_a_boolean_counts_one(service: Service) -> None:
    answered = service.ask("GET", AUTHENTICATION, key=service.key).json()

    assert (answered["response"], answered["count"]) == (True, 1)


@pytest.mark.parametrize(
    ("status", "name", "method", "path", "headers"),
    [
        (400, "badRequest", "POST", SETTINGS, {}),
        (401, "unauthorized", "GET", SETTINGS, {"Authorization": "nobody"}),
        (404, "notFound", "GET", "/api/2.0/nothing", {}),
        (404, "notFound", "GET", f"{SETTINGS}/", {}),
        (405, "methodNotAllowed", "PUT", SETTINGS, {}),
        (406, "notAcceptable", "GET", SETTINGS, {"Accept": "text/html"}),
        (412, "preconditionFailed", "DELETE", SETTINGS, {"If-Match": '"none"'}),
    ],
)
def test_a_failure_has_the_same_status_twice_and_words(
    service: Service, status: int, name: str, method: str, path: str, headers: dict[str, str]
) -> None:
    key = None if "Authorization" in headers else service.key
    reply = service.ask(method, path, headers=headers, key=key)
    told = reply.json()

    assert reply.status == status
    assert list(told) == ["error", "status", "statusCode"]
    assert told["error"]["type"] == name
    assert len(told["error"]["message"]) > 10
    assert (told["status"], told["statusCode"]) == (1, status)
    assert reply.headers["Content-Type"] == "application/json"


def test_a_validation_failure_is_this_text(service: Service) -> None:
    reply = service.ask("POST", SETTINGS, {**OPEN, "Port": 0}, key=service.key)

    message = "This must be a whole number from 1 to 65535 or the same in digits as text."
    assert reply.body == json.dumps(
        {
            "error": {"message": f"Port: {message}", "type": "badRequest"},
            "status": 1,
            "statusCode": 400,
            "response": {"errors": {"Port": [message]}},
        },
        separators=(",", ":"),
    ).encode()  # fmt: skip


def asked(service: Service) -> list[tuple[str, str, Any, str | None]]:
    return [
        ("GET", SETTINGS, None, service.key),
        ("HEAD", SETTINGS, None, service.key),
        ("POST", SETTINGS, LOGIN, service.key),
        ("DELETE", SETTINGS, None, service.key),
        ("OPTIONS", SETTINGS, None, None),
        ("POST", SETTINGS, {}, service.key),
        ("GET", SETTINGS, None, None),
        ("GET", SETTINGS, None, "wrong"),
        ("GET", "/api/2.0/nothing", None, service.key),
        ("PATCH", SETTINGS, None, service.key),
        ("POST", SETTINGS, b"<xml/>", service.key),
        ("POST", SETTINGS, b"x" * 70_000, service.key),
        ("POST", AUTHENTICATION, {}, None),
        ("GET", KEYS, None, service.key),
    ]


def test_every_answer_has_the_headers_of_the_api(service: Service) -> None:
    for method, path, body, key in asked(service):
        headers = {"Content-Type": "application/json"} if body != b"<xml/>" else {}
        reply = service.ask(method, path, body, headers=headers, key=key)
        told = reply.headers

        assert told["Cache-Control"] == "no-store", (method, path)
        assert told["X-RateLimit-Limit"] == "1500"
        assert 0 <= int(told["X-RateLimit-Remaining"]) < 1500
        # The machine's minute ends within the next one; a second for the way.
        assert -1 <= int(told["X-RateLimit-Reset"]) - time.time() <= 61
        assert not [name for name in told if name.lower().startswith("access-control-")]
        assert "Server" not in told


def test_a_foreign_page_gets_no_leave_to_read(service: Service) -> None:
    headers = {
        "Origin": "https://other.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    reply = service.ask("OPTIONS", SETTINGS, headers=headers)

    assert reply.status == 204
    assert not [name for name in reply.headers if name.lower().startswith("access-control-")]
