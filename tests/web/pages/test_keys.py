"""The page of API keys as a browser without scripts gets it: made once, shown once, revoked."""

import json
import logging
import re
from dataclasses import dataclass
from typing import Any

import pytest
from structlog.testing import capture_logs

from smarthost.portals.model import Permission, Portal, Role, User
from tests.contract.service import (
    EMAILS,
    KEYS,
    SETTINGS,
    Reply,
    Service,
)
from tests.web.pages.visitor import Visitor, signed_in, text_by_id

HOSTILE = '"><b>{{7*7}}</b>'
LARGEST = 60_000


def html(reply: Reply) -> str:
    return reply.body.decode()


FORM = {"name": "shop", "permission": "send", "after": ""}
HTTP_SNIPPETS = {"snippet-curl", "snippet-resend"}


@dataclass(frozen=True, kw_only=True)
class Desk:
    service: Service
    portal: Portal
    admin: User
    page: Visitor

    def user(self) -> User:
        return self.service.open_user(f"user@{self.portal.name}.test", portal=self.portal)

    def listed(self, page: Visitor | None = None) -> list[dict[str, Any]]:
        """Return what the API lists to whoever is signed in, oldest first."""
        session = (page or self.page).token
        reply = self.service.ask("GET", KEYS, key=session, portal=self.portal)
        listed: list[dict[str, Any]] = reply.json()["response"]
        return listed


@pytest.fixture
def desk(service: Service, portal: Portal) -> Desk:
    """A portal of the test's own, without any keys."""
    admin = service.open_user(f"admin@{portal.name}.test", Role.ADMINISTRATOR, portal=portal)
    page = signed_in(service, portal, admin)
    return Desk(service=service, portal=portal, admin=admin, page=page)


def hidden(page: str, name: str) -> str:
    found = re.search(rf'<input type="hidden" name="{name}" value="([^"]*)">', page)
    assert found is not None
    return found[1]


def make(page: Visitor, **typed: str) -> Reply:
    """Send the form as the page has it now."""
    after = hidden(html(page.get("/keys")), "after")
    return page.post("/keys", FORM | {"after": after} | typed)


def test_a_key_is_shown_once_and_works(desk: Desk) -> None:
    reply = make(desk.page)
    key = text_by_id(reply.body)["key"]

    assert reply.status == 200
    assert reply.headers["Cache-Control"] == "no-store"
    used = desk.service.ask("GET", EMAILS, key=key, portal=desk.portal)
    assert used.status == 200
    (listed,) = desk.listed()
    assert (listed["name"], listed["permissions"]) == ("shop", ["send"])
    assert key.startswith(f"sh_{listed['id']}_")
    again = html(desk.page.get("/keys"))
    assert key not in again
    assert f"…{listed['keyPostfix']}" in again
    assert len(reply.body) < LARGEST


def test_the_same_form_makes_one_key(desk: Desk) -> None:
    first, second = desk.page.post("/keys", FORM), desk.page.post("/keys", FORM)

    (listed,) = desk.listed()
    assert (first.status, second.status) == (200, 409)
    assert "has made its key already" in html(second)
    assert listed["keyPostfix"] in html(second)
    assert text_by_id(first.body)["key"] not in html(second)
    # The page has a new form, which makes another.
    assert make(desk.page).status == 200
    assert len(desk.listed()) == 2


def test_forms_of_two_people_are_apart(desk: Desk) -> None:
    user = signed_in(desk.service, desk.portal, desk.user())
    for page in (desk.page, user):
        assert page.post("/keys", FORM).status == 200
    assert len(desk.listed()) == 2


@pytest.mark.parametrize(
    ("choice", "permissions"),
    [
        ("send", ["send"]),
        ("read", ["read"]),
        ("write", ["read", "write"]),
        ("everything", ["*"]),
    ],
)
def test_a_choice_is_what_the_key_may(desk: Desk, choice: str, permissions: list[str]) -> None:
    page = make(desk.page, permission=choice).body
    (listed,) = desk.listed()
    assert listed["permissions"] == permissions
    sends = choice in ("send", "everything")
    assert HTTP_SNIPPETS.issubset(text_by_id(page)) == sends


def test_a_key_ends_when_it_was_said_to(desk: Desk) -> None:
    make(desk.page, expiresInDays=" 30 ")
    make(desk.page, name="other", expiresInDays="")
    ends, never = desk.listed()
    assert "expiresAt" in ends
    assert "expiresAt" not in never


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("name", ""),
        ("name", "   "),
        ("name", "x" * 31),
        ("name", "a\u202eb"),
        ("expiresInDays", "0"),
        ("expiresInDays", "366"),
        ("expiresInDays", "-1"),
        ("expiresInDays", "soon"),
        ("expiresInDays", "\u0663"),
        ("expiresInDays", "9" * 5_000),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(desk: Desk, field: str, typed: str) -> None:
    reply = make(desk.page, **{"name": "shop", field: typed})
    page = html(reply)
    assert reply.status == 400
    assert f'<ul class="faults" id="{field}-faults">' in page
    assert 'aria-invalid="true"' in page
    assert desk.listed() == []


def test_all_faults_are_told_at_once_and_what_was_typed_is_kept(desk: Desk) -> None:
    reply = make(desk.page, name=HOSTILE * 3, expiresInDays=HOSTILE, permission="read")
    page = html(reply)
    assert {"name-faults", "expiresInDays-faults"} <= set(re.findall(r'id="([^"]*)"', page))
    assert 'value="read" checked' in page
    assert "&#34;&gt;&lt;b&gt;{{7*7}}&lt;/b&gt;" in page
    assert "<b>" not in page


def test_a_choice_that_was_not_offered_makes_nothing(desk: Desk) -> None:
    assert make(desk.page, permission=HOSTILE).status == 400
    assert desk.listed() == []


def test_a_name_is_text(desk: Desk) -> None:
    page = html(make(desk.page, name=HOSTILE))
    assert "<b>" not in page
    assert "&#34;&gt;&lt;b&gt;{{7*7}}&lt;/b&gt;" in page


def test_a_revoked_key_is_gone(desk: Desk) -> None:
    key = text_by_id(make(desk.page).body)["key"]
    (listed,) = desk.listed()
    reply = desk.page.post(f"/keys/{listed['id']}/revoke", {})

    assert (reply.status, reply.headers["Location"]) == (303, "/keys?done=revoked")
    assert desk.service.ask("GET", SETTINGS, key=key, portal=desk.portal).status == 401
    assert desk.page.post(f"/keys/{listed['id']}/revoke", {}).status == 404
    assert "Revoked." in html(desk.page.get("/keys?done=revoked"))


def test_a_key_of_another_portal_is_not_found(desk: Desk) -> None:
    key = desk.service.open_key()
    key_id = key.split("_")[1]
    assert desk.page.post(f"/keys/{key_id}/revoke", {}).status == 404
    assert desk.service.ask("GET", SETTINGS, key=key).status == 200


def test_expired_keys_are_marked(desk: Desk) -> None:
    desk.service.open_key(desk.admin, Permission.SEND, expires_at=1, name="old")
    assert "expired</span>" in html(desk.page.get("/keys"))


def test_who_is_no_administrator_sees_and_makes_keys_of_their_own_that_send(desk: Desk) -> None:
    desk.service.open_key(desk.admin, name="the administrator's")
    page = signed_in(desk.service, desk.portal, desk.user())
    shown = html(page.get("/keys"))
    assert "the administrator" not in shown
    assert 'type="radio"' not in shown

    # The portal's sender is the administrator's to know.
    made = make(page).body
    assert "sender@example.com" in text_by_id(made)["snippet-smtplib"]
    assert "in place of sender@example.com" in made.decode()
    assert make(page, name="more", permission="everything").status == 403
    assert [key["name"] for key in desk.listed(page)] == ["shop"]
    (of_admin,) = [key for key in desk.listed() if key["permissions"] == ["*"]]
    assert page.post(f"/keys/{of_admin['id']}/revoke", {}).status == 404


def test_a_key_is_in_no_log(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with capture_logs() as events:
        key = text_by_id(make(desk.page).body)["key"]
    secret = key.rpartition("_")[2]
    assert events
    assert secret not in json.dumps(events, default=repr) + caplog.text


def test_the_snippets_name_this_portal_and_its_sender(desk: Desk) -> None:
    sender = f"shop@{desk.portal.name}.test"
    body = {"host": "192.0.2.25", "senderAddress": sender}
    desk.service.ask("POST", SETTINGS, body, key=desk.page.token, portal=desk.portal)
    texts = text_by_id(make(desk.page).body)
    host = desk.service.host(desk.portal)
    assert f"curl http://{host}/emails " in texts["snippet-curl"]
    assert f'"to": "{desk.admin.email}"' in texts["snippet-curl"]
    assert f'DEFAULT_FROM_EMAIL = "{sender}"' in texts["snippet-django"]
    assert all(texts["key"] in text for name, text in texts.items() if name.startswith("snippet-"))
