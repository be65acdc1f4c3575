"""The webhook's end points, and an event on its way from an e-mail to a receiver."""

import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier

from smarthost.portals.model import Permission, Role
from tests.contract.bodies import OPEN
from tests.contract.relays import Inbox, running_relay
from tests.contract.service import EMAILS, SETTINGS, Reply, Service, running_service

WEBHOOK = "/api/2.0/webhook"
URL = "https://app.example.com/webhooks/mail"
_PATIENCE = 30.0


def put(service: Service, url: str = URL, key: str | None = None, **fields: Any) -> Reply:
    body = {"url": url, **fields}
    return service.ask("PUT", WEBHOOK, body, key=key or service.key)


def answered(reply: Reply) -> Any:
    assert reply.status == 200, reply.body
    return reply.json().get("response")


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Service]:
    with running_service(tmp_path) as running:
        yield running


def test_without_a_webhook_there_is_no_response(fresh: Service) -> None:
    reply = fresh.ask("GET", WEBHOOK, key=fresh.key)
    assert (reply.status, reply.json()["count"]) == (200, 0)
    assert "response" not in reply.json()
    assert answered(fresh.ask("DELETE", WEBHOOK, key=fresh.key)) is True


def test_a_secret_is_shown_when_it_is_made_and_never_again(fresh: Service) -> None:
    made = answered(put(fresh))
    assert made["secret"].startswith("whsec_")
    assert (made["url"], made["isActive"], made["dropped"]) == (URL, True, 0)
    assert made["events"] == ["email.sent", "email.delivery_delayed", "email.failed"]
    read = fresh.ask("GET", WEBHOOK, key=fresh.key)
    again = put(fresh, "HTTPS://App.example.com:443/webhooks/mail")
    for reply in (read, again):
        assert answered(reply)["url"] == URL
        assert made["secret"] not in reply.body.decode()
        assert "secret" not in answered(reply)
    renewed = answered(put(fresh, newSecret=True))["secret"]
    moved = answered(put(fresh, "https://other.example.com/"))["secret"]
    assert len({made["secret"], renewed, moved}) == 3
    assert answered(fresh.ask("DELETE", WEBHOOK, key=fresh.key)) is True
    assert answered(fresh.ask("GET", WEBHOOK, key=fresh.key)) is None


@pytest.mark.parametrize(
    "url", ["", "app.example.com", "https://ann:s3cret@app.example.com/", "https://192.0.2.1/"]
)
def test_a_url_that_cannot_be_is_refused_by_its_field(service: Service, url: str) -> None:
    reply = service.ask("PUT", WEBHOOK, {"Url": url}, key=service.key)
    assert reply.status == 400
    assert list(reply.json()["response"]["errors"]) == ["Url"]
    assert "s3cret" not in reply.body.decode()


@pytest.mark.parametrize(
    "body", [{}, {"url": None}, {"url": 1}, {"url": URL, "newSecret": "true"}, {"uri": URL}]
)
def test_a_body_of_another_shape_is_refused(service: Service, body: Any) -> None:
    assert service.ask("PUT", WEBHOOK, body, key=service.key).status == 400


def test_only_administrators_with_the_permission_may(service: Service) -> None:
    user = service.open_user("webhook@example.com", Role.USER)
    reader = service.open_key(None, Permission.READ)
    sender = service.open_key(None, Permission.SEND)
    assert service.ask("GET", WEBHOOK).status == 401
    assert service.ask("GET", WEBHOOK, key=service.open_key(user)).status == 403
    assert service.ask("GET", WEBHOOK, key=sender).status == 403
    assert service.ask("GET", WEBHOOK, key=reader).status == 200
    assert put(service, key=reader).status == 403
    assert service.ask("DELETE", WEBHOOK, key=reader).status == 403


def test_each_portal_has_its_own(portals_service: Service) -> None:
    other = portals_service.open_portal("acme")
    admin = portals_service.open_user("ann@acme.example", Role.ADMINISTRATOR, portal=other)
    key = portals_service.open_key(admin)
    answered(put(portals_service))
    asked = portals_service.ask("GET", WEBHOOK, key=key, portal=other)
    assert answered(asked) is None


Received = list[tuple[dict[str, str], bytes]]


@contextmanager
def receiving() -> Iterator[tuple[str, Received]]:
    """Run a receiver; gives its URL and what it has got."""
    received: Received = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            received.append((headers, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook", received
        finally:
            server.shutdown()
            thread.join(_PATIENCE)


def test_an_event_comes_when_the_relay_has_the_e_mail(tmp_path: Path) -> None:
    with (
        running_relay(Inbox()) as relay,
        receiving() as (url, received),
        running_service(tmp_path) as fresh,
    ):
        secret = answered(put(fresh, url))["secret"]
        save = {**OPEN, "host": "localhost", "port": relay.port}
        assert fresh.ask("POST", SETTINGS, save, key=fresh.key).status == 200
        email = {"to": "jane@example.net", "subject": "Hi", "text": "Hello",
                 "tags": [{"name": "kind", "value": "welcome"}]}  # fmt: skip
        email_id = fresh.ask("POST", EMAILS, email, key=fresh.key).json()["id"]
        until = time.monotonic() + _PATIENCE
        while not received:
            assert time.monotonic() < until
            time.sleep(0.05)
        ((headers, body),) = received
        event = Verifier(secret).verify(body, headers)
        assert event["type"] == "email.sent"
        assert event["data"]["email_id"] == email_id
        assert event["data"]["to"] == ["jane@example.net"]
        assert event["data"]["from"] == OPEN["senderAddress"]
        assert event["data"]["tags"] == {"kind": "welcome"}
        while "lastDeliveredAt" not in (now := answered(fresh.ask("GET", WEBHOOK, key=fresh.key))):
            assert time.monotonic() < until
            time.sleep(0.05)
        assert "waitingSince" not in now
