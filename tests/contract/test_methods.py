"""Methods: what each path takes; HEAD as GET, OPTIONS for anybody, and 405 for the rest."""

import pytest

from tests.contract.service import AUTHENTICATION, EMAILS, KEYS, SETTINGS, Service

TAKEN = {
    SETTINGS: {"GET", "HEAD", "POST", "DELETE", "OPTIONS"},
    f"{SETTINGS}/check": {"POST", "OPTIONS"},
    f"{SETTINGS}/check/events": {"POST", "OPTIONS"},
    f"{SETTINGS}/oauth2/authorize": {"GET", "HEAD", "OPTIONS"},
    f"{SETTINGS}/oauth2/callback": {"GET", "OPTIONS"},
    f"{SETTINGS}/test/events": {"GET", "HEAD", "OPTIONS"},
    AUTHENTICATION: {"GET", "HEAD", "POST", "OPTIONS"},
    f"{AUTHENTICATION}/logout": {"POST", "OPTIONS"},
    KEYS: {"GET", "HEAD", "POST", "OPTIONS"},
    f"{KEYS}/0191e5a0-0000-7000-8000-000000000000": {"DELETE", "OPTIONS"},
    EMAILS: {"GET", "HEAD", "POST", "OPTIONS"},
    f"{EMAILS}/batch": {"POST", "OPTIONS"},
    f"{EMAILS}/0191e5a0-0000-7000-8000-000000000000": {"GET", "HEAD", "PATCH", "OPTIONS"},
    f"{EMAILS}/0191e5a0-0000-7000-8000-000000000000/body": {"DELETE", "OPTIONS"},
}
# The last two are methods that the framework has never heard of.
KNOWN = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "PURGE", "LINK")


@pytest.mark.parametrize("path", TAKEN)
def test_options_answers_204_and_what_the_path_takes(service: Service, path: str) -> None:
    reply = service.ask("OPTIONS", path)

    assert (reply.status, reply.body) == (204, b"")
    assert set(reply.headers["Allow"].split(", ")) == TAKEN[path]


@pytest.mark.parametrize("path", TAKEN)
@pytest.mark.parametrize("method", KNOWN)
def test_another_method_is_405_and_says_what_the_path_takes(
    service: Service, path: str, method: str
) -> None:
    if method in TAKEN[path]:
        return
    # Without credentials: 405 comes before 401.
    reply = service.ask(method, path)

    assert reply.status == 405
    assert set(reply.headers["Allow"].split(", ")) == TAKEN[path]
    if method != "HEAD":
        told = reply.json()
        if path.startswith(EMAILS):
            assert told["name"] == "method_not_allowed"
        else:
            assert told["error"]["type"] == "methodNotAllowed"


@pytest.mark.parametrize("path", [SETTINGS, AUTHENTICATION])
def test_head_is_get_without_the_body(service: Service, path: str) -> None:
    head = service.ask("HEAD", path, key=service.key)
    get = service.ask("GET", path, key=service.key)

    assert (head.status, head.body) == (get.status, b"")
    for name in ("Content-Length", "Content-Type", "ETag"):
        assert head.headers[name] == get.headers[name]


def test_head_without_credentials_is_401_without_a_body(service: Service) -> None:
    head = service.ask("HEAD", SETTINGS)

    assert (head.status, head.body) == (401, b"")
    assert head.headers["Content-Length"] == service.ask("GET", SETTINGS).headers["Content-Length"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json"])
@pytest.mark.parametrize("host", ["anything.example", "127.0.0.1"])
def test_machines_are_answered_on_any_host(portals_service: Service, path: str, host: str) -> None:
    assert portals_service.ask("GET", path, headers={"Host": host}).status == 200
