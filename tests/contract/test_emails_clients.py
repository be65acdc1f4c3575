"""The official client of Resend's API for Python, with nothing changed but where it asks."""

import email
import email.policy
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import resend
from resend.exceptions import (
    InvalidApiKeyError,
    MissingRequiredFieldsError,
    ResendError,
    ValidationError,
)

from smarthost.portals.model import Permission
from tests.contract.relays import running_relay
from tests.contract.service import SETTINGS, Service, running_service
from tests.smtp.relays import Peer

# Its types are stricter than what it takes.
api: Any = resend

_PATIENCE = 30.0
SENDER = "notify@example.com"
PARAMS: Any = {
    "from": f"Postman <{SENDER}>",
    "to": ["jane@example.net"],
    "subject": "Your order",
    "text": "It is on its way.",
}


class Mailbox:
    """A relay's script that takes every message and keeps it, however many come."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    async def __call__(self, peer: Peer) -> None:
        await peer.greet()
        while (command := await peer.hear()) != "QUIT":
            if command != "DATA":
                await peer.say("250 2.0.0 Ok")
                continue
            await peer.say("354 Go on")
            self.messages.append((await peer.hear_message()).removesuffix(b".\r\n"))
            await peer.say("250 2.0.0 Queued as 4711")
        await peer.say("221 2.0.0 Bye")


@pytest.fixture(scope="module")
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture(scope="module")
def sending(tmp_path_factory: pytest.TempPathFactory, mailbox: Mailbox) -> Iterator[Service]:
    """A service whose mail goes into `mailbox`."""
    with (
        running_relay(mailbox) as relay,
        running_service(tmp_path_factory.mktemp("sending"), KEEP_SENT_SECONDS="3600") as service,
    ):
        saved = {"host": "localhost", "port": relay.port, "senderAddress": SENDER}
        assert service.ask("POST", SETTINGS, saved, key=service.key).status == 200
        yield service


@pytest.fixture(autouse=True)
def client(sending: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the client here, with a key that can send and do nothing else."""
    monkeypatch.setattr(api, "api_url", sending.url)
    monkeypatch.setattr(api, "api_key", sending.open_key(None, Permission.SEND))


def until_it_is(event: str, message_id: str) -> Any:
    until = time.monotonic() + _PATIENCE
    while (shown := api.Emails.get(message_id))["last_event"] != event:
        assert time.monotonic() < until, shown
        time.sleep(0.05)
    return shown


def delivered(mailbox: Mailbox, message_id: str) -> Any:
    (found,) = [one for one in mailbox.messages if f"<{message_id}@".encode() in one]
    return email.message_from_bytes(found, policy=email.policy.default)


def test_an_e_mail_is_sent_with_everything_in_it(mailbox: Mailbox) -> None:
    sent = api.Emails.send(
        {
            **PARAMS,
            "cc": "Carol <carol@example.net>",
            "bcc": ["dan@example.net"],
            "reply_to": "help@example.com",
            "html": "<p>It is on its way: <img src='cid:logo'></p>",
            "headers": {"X-Entity-Ref-ID": "4711"},
            "attachments": [
                {"filename": "invoice.pdf", "content": list(b"%PDF \x00\xff")},
                {"filename": "logo.png", "content": "iVBORw0KGgo=", "content_id": "logo"},
            ],
            "tags": [{"name": "order", "value": "4711"}],
        }
    )
    shown = until_it_is("sent", sent["id"])

    assert shown["from"] == f"Postman <{SENDER}>"
    assert (shown["to"], shown["bcc"]) == (["jane@example.net"], ["dan@example.net"])
    assert shown["html"].startswith("<p>It is on its way")
    assert shown["http_headers"]["ratelimit-limit"] == "1500"
    message = delivered(mailbox, sent["id"])
    assert (message["Subject"], message["X-Entity-Ref-ID"]) == ("Your order", "4711")
    assert (message["Cc"], message["Reply-To"]) == (
        "Carol <carol@example.net>",
        "help@example.com",
    )
    assert message.get_body(("plain",)).get_content() == "It is on its way.\r\n"
    files = {part.get_filename(): part.get_content() for part in message.walk()
             if part.get_filename()}  # fmt: skip
    assert files == {"invoice.pdf": b"%PDF \x00\xff", "logo.png": b"\x89PNG\r\n\x1a\n"}
    assert b"dan@" not in message.as_bytes()


def test_a_batch_is_sent_and_listed(mailbox: Mailbox) -> None:
    batch = [{**PARAMS, "subject": f"Number {number}"} for number in range(3)]
    sent = api.Batch.send(batch)
    ids = [one["id"] for one in sent["data"]]

    assert len(ids) == 3
    for number, message_id in enumerate(ids):
        until_it_is("sent", message_id)
        assert delivered(mailbox, message_id)["Subject"] == f"Number {number}"
    # To the millisecond the newest comes first.
    ids.sort(reverse=True)
    page = api.Emails.list({"limit": 2})
    assert (page["object"], page["has_more"]) == ("list", True)
    assert [one["id"] for one in page["data"]] == ids[:2]
    rest = api.Emails.list({"after": ids[1], "limit": 1})
    assert (rest["has_more"], [one["id"] for one in rest["data"]]) == (False, [ids[2]])


def test_a_permissive_batch_tells_what_was_wrong() -> None:
    wrong: Any = {**PARAMS, "to": "nobody"}
    sent = api.Batch.send([PARAMS, wrong], {"batch_validation": "permissive"})

    assert len(sent["data"]) == 1
    assert [error["index"] for error in sent["errors"]] == [1]
    with pytest.raises(ValidationError, match=r"\[1\]\.to\[0\]"):
        api.Batch.send([PARAMS, wrong])


def test_a_scheduled_e_mail_is_put_off_and_cancelled() -> None:
    sent = api.Emails.send({**PARAMS, "scheduled_at": "in 1 hour"})
    before = api.Emails.get(sent["id"])
    changed = api.Emails.update({"id": sent["id"], "scheduled_at": "in 2 hours"})
    after = api.Emails.get(sent["id"])
    cancelled = api.Emails.cancel(sent["id"])

    assert before["last_event"] == after["last_event"] == "scheduled"
    assert before["scheduled_at"] < after["scheduled_at"]
    assert changed["id"] == cancelled["id"] == sent["id"]
    assert api.Emails.get(sent["id"])["last_event"] == "canceled"
    with pytest.raises(ResendError, match="cancelled"):
        api.Emails.cancel(sent["id"])


def test_an_idempotency_key_sends_once(mailbox: Mailbox) -> None:
    first = api.Emails.send(PARAMS, {"idempotency_key": "order/4711"})
    again = api.Emails.send(PARAMS, {"idempotency_key": "order/4711"})

    assert first["id"] == again["id"]
    until_it_is("sent", first["id"])
    assert delivered(mailbox, first["id"])
    with pytest.raises(ResendError) as caught:
        api.Emails.send({**PARAMS, "subject": "Other"}, {"idempotency_key": "order/4711"})
    assert (caught.value.code, caught.value.error_type) == (409, "invalid_idempotent_request")


REFUSED: dict[str, tuple[type[ResendError], int, Callable[[], object]]] = {
    "missing_required_field": (
        MissingRequiredFieldsError, 422,
        lambda: api.Emails.send({"to": "jane@example.net"}),
    ),
    "validation_error": (
        ValidationError, 422, lambda: api.Emails.send({**PARAMS, "to": "nobody"}),
    ),
    "invalid_from_address": (
        ResendError, 422, lambda: api.Emails.send({**PARAMS, "from": "nobody"}),
    ),
    "not_found": (
        ResendError, 404, lambda: api.Emails.get("01a20468-4c81-7568-b9c7-f3a45b943b40"),
    ),
    "invalid_parameter": (ResendError, 422, lambda: api.Emails.get("4711")),
    "invalid_idempotency_key": (
        ResendError, 400, lambda: api.Emails.send(PARAMS, {"idempotency_key": "a" * 257}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_is_the_client_s_own_error(name: str) -> None:
    kind, status, ask = REFUSED[name]
    with pytest.raises(kind) as caught:
        ask()

    assert (caught.value.code, caught.value.error_type) == (status, name)
    assert caught.value.message


def test_a_wrong_key_is_the_client_s_own_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "api_key", "re_123456789")
    with pytest.raises(InvalidApiKeyError):
        api.Emails.send(PARAMS)


def test_a_key_without_the_permission_is_restricted(
    sending: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "api_key", sending.open_key(None, Permission.WRITE))
    with pytest.raises(ResendError) as caught:
        api.Emails.send(PARAMS)
    assert (caught.value.code, caught.value.error_type) == (401, "restricted_api_key")


def test_the_e_mail_s_attempts_name_the_relay(sending: Service) -> None:
    sent = api.Emails.send(PARAMS)
    until_it_is("sent", sent["id"])
    (attempt,) = sending.ask("GET", f"/emails/{sent['id']}/attempts", key=sending.key).json()[
        "data"
    ]

    assert attempt["relay"].startswith("localhost:")
    assert (attempt["attempt"], attempt["revision"], attempt["outcome"]) == (1, 1, "accepted")
    assert (attempt["recipient"], attempt["address"]) == ("jane@example.net", "127.0.0.1")
    assert attempt["reply"] == "250 2.0.0 Queued as 4711"
    assert "failure" not in attempt
