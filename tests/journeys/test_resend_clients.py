"""Resend's official clients, unchanged, against the real program: only where they ask is another.

What each call of the one for Python comes to is in tests/contract; here it has to get its mail
through. The one for Node.js is a program of its own, which tells what each call came to.
"""

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest
import resend

from tests.cli.program import Program
from tests.journeys.application import Application
from tests.journeys.served import Served, serving
from tests.journeys.sink import Sink, running_sink, until

# Its types are stricter than what it takes.
api: Any = resend

JOURNEY = Path(__file__).parent / "resend"
SENDER = "notify@example.com"
OCTETS = bytes([0, 255, 13, 10, 46])
LOGO = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, kw_only=True)
class Desk:
    served: Served
    application: Application
    sink: Sink
    send_key: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.served.port}"

    def message(self, message_id: str) -> EmailMessage:
        """Return what has arrived of an e-mail, which has one copy for all its recipients."""
        until(lambda: self.application.event(message_id) == "sent")
        (taken,) = [one for one in self.sink.taken if f"<{message_id}@".encode() in one.content]
        message = message_from_bytes(taken.content, policy=SMTP)
        assert isinstance(message, EmailMessage)
        return message


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    program = Program(folder=tmp_path_factory.mktemp("smarthost"))
    key = program.init()
    made = program("key", "create", "--name", "application", "--permission", "send")
    assert made.code == 0, made.err
    with running_sink() as sink, serving(program) as served:
        application = Application(process=served.client(key))
        application.save(sink.port, SENDER)
        yield Desk(served=served, application=application, sink=sink, send_key=made.out.strip())


def files(message: EmailMessage) -> dict[str | None, Any]:
    return {
        part.get_filename(): part.get_payload(decode=True)
        for part in message.walk()
        if part.get_filename()
    }


def test_the_client_for_python_gets_its_mail_through(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "api_url", desk.url)
    monkeypatch.setattr(api, "api_key", desk.send_key)
    contents: dict[str, Any] = {
        "list.bin": list(OCTETS),
        "base64.bin": base64.b64encode(OCTETS).decode(),
        "buffer.bin": {"type": "Buffer", "data": list(OCTETS)},
    }
    message = {"from": SENDER, "to": "jane@example.net", "subject": "Files", "text": "x"}
    attachments = [{"filename": name, "content": one} for name, one in contents.items()]
    sent = api.Emails.send({**message, "attachments": attachments})
    batch = api.Batch.send([message, {**message, "to": "joe@example.net"}])

    assert files(desk.message(sent["id"])) == dict.fromkeys(contents, OCTETS)
    for one, to in zip(batch["data"], ("jane@example.net", "joe@example.net"), strict=True):
        assert desk.message(one["id"])["To"] == to
        assert api.Emails.get(one["id"])["last_event"] == "sent"
    listed = api.Emails.list({"limit": 100})["data"]
    assert {sent["id"], *(one["id"] for one in batch["data"])} <= {one["id"] for one in listed}


@pytest.fixture(scope="module")
def told(desk: Desk) -> dict[str, Any]:
    """What each call of the client for Node.js came to."""
    if not (JOURNEY / "node_modules").exists():
        pytest.skip("needs the client for Node.js, which scripts/test installs")
    done = subprocess.run(
        ["node", "journey.mjs"],
        cwd=JOURNEY,
        env={
            "PATH": os.environ["PATH"],
            "RESEND_BASE_URL": desk.url,
            "RESEND_API_KEY": desk.send_key,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    calls = map(json.loads, done.stdout.splitlines())
    return {call["name"]: call for call in calls}


@pytest.mark.needs("node")
def test_the_client_for_node_gets_its_mail_through(desk: Desk, told: dict[str, Any]) -> None:
    message = desk.message(told["send"]["data"]["id"])
    assert message["From"] == f"Postman <{SENDER}>"
    assert (message["To"], message["Cc"]) == ("jane@example.net", "Carol <carol@example.net>")
    assert (message["Reply-To"], message["X-Entity-Ref-ID"]) == ("help@example.com", "4711")
    assert files(message) == {"buffer.bin": OCTETS, "logo.png": LOGO, "list.txt": b"List"}
    assert b"dan@" not in message.as_bytes()
    subjects = [
        str(desk.message(one["id"])["Subject"])
        for call in ("batch", "permissive batch")
        for one in told[call]["data"]["data"]
    ]
    assert subjects == ["First", "Second", "Third"]


@pytest.mark.needs("node")
def test_the_client_for_node_schedules_lists_and_repeats(desk: Desk, told: dict[str, Any]) -> None:
    ids = {told[call]["data"]["id"] for call in ("schedule", "update", "cancel", "canceled")}
    assert len(ids) == 1
    events = [told[call]["data"]["last_event"] for call in ("scheduled", "canceled")]
    assert events == ["scheduled", "canceled"]
    once, more = (told[call]["data"]["id"] for call in ("once", "once more"))
    assert once == more
    assert desk.message(once)["Subject"] == "Once"
    page = told["list"]["data"]
    assert (page["object"], page["has_more"], len(page["data"])) == ("list", True, 2)
    assert page["data"][0]["id"] == once


REFUSED = {
    "strict batch": (422, "validation_error"),
    "cancel again": (422, "validation_error"),
    "another": (409, "invalid_idempotent_request"),
    "no recipient": (422, "missing_required_field"),
    "foreign sender": (403, "validation_error"),
    "fetched file": (422, "invalid_attachment"),
    "unknown id": (404, "not_found"),
    "wrong key": (403, "invalid_api_key"),
}


@pytest.mark.needs("node")
@pytest.mark.parametrize("call", REFUSED)
def test_a_refusal_is_the_client_s_own_error(told: dict[str, Any], call: str) -> None:
    error = told[call]["error"]
    assert told[call]["data"] is None
    assert (error["statusCode"], error["name"]) == REFUSED[call]
    assert error["message"]


@pytest.mark.needs("node")
def test_every_other_call_went_well(told: dict[str, Any]) -> None:
    assert {name for name, call in told.items() if call["error"]} == set(REFUSED)
    (wrong,) = told["permissive batch"]["data"]["errors"]
    assert wrong["index"] == 1
