"""The settings page as a browser without scripts sends and gets it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from smarthost.portals.model import Portal, Role
from smarthost.web.auth import COOKIE
from tests.contract.service import (
    ADMIN_PASSWORD,
    AUTHENTICATION,
    BASE_DOMAIN,
    SETTINGS,
    Reply,
    Service,
    running_service,
)
from tests.journeys.sink import running_sink

OAUTH2 = f"{SETTINGS}/oauth2"
HOSTILE = "\"'><script>alert(1)</script>{{7*7}}"
PASSWORD = "canary-of-a-password"
LARGEST = 60_000


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Somebody who is signed in at a portal's pages."""

    service: Service
    portal: Portal
    key: str
    token: str

    def get(self, path: str) -> Reply:
        return self.service.ask("GET", path, headers=self._headers(), portal=self.portal)

    def post(self, path: str, **fields: str) -> Reply:
        headers = self._headers() | {"Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode(fields).encode()
        return self.service.ask("POST", path, body, headers=headers, portal=self.portal)

    def api(self, method: str, path: str, body: object = None) -> Any:
        reply = self.service.ask(method, path, body, key=self.key, portal=self.portal)
        assert reply.status == 200, reply.body
        return reply.json()["response"]

    def save(self, **changes: str) -> Reply:
        """Send the form as it was drawn for revision 0, with a relay typed in."""
        return self.post("/settings", **{**FORM, **changes})

    def _headers(self) -> dict[str, str]:
        return {"Cookie": f"{COOKIE}={self.token}", "Sec-Fetch-Site": "same-origin"}


FORM = {
    "revision": "0",
    "host": "mail.example.com",
    "port": "587",
    "senderAddress": "notify@example.com",
    "senderDisplayName": "Postman",
    "enableSSL": "true",
    "enableAuth": "true",
    "credentialsUserName": "notify",
    "credentialsUserPassword": PASSWORD,
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("settings-page")
    with running_service(folder, BASE_DOMAIN=BASE_DOMAIN) as service:
        yield service


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return count()


@pytest.fixture
def portal(service: Service, numbers: Iterator[int]) -> Portal:
    return service.open_portal(f"portal{next(numbers)}")


def visitor_of(service: Service, portal: Portal, role: Role, name: str = "anna") -> Visitor:
    email = f"{name}@example.com"
    user = service.open_user(email, role, portal=portal, password=ADMIN_PASSWORD)
    body = {"userName": email, "password": ADMIN_PASSWORD}
    token = service.ask("POST", AUTHENTICATION, body, portal=portal).json()["response"]["token"]
    key = service.open_key(user) if role is Role.ADMINISTRATOR else ""
    return Visitor(service=service, portal=portal, key=key, token=token)


@pytest.fixture
def visitor(service: Service, portal: Portal) -> Visitor:
    """An administrator of a portal of the test's own."""
    return visitor_of(service, portal, Role.ADMINISTRATOR)


def text(reply: Reply) -> str:
    """What a page says, without its markup."""
    words = re.sub(r"<template.*?</template>|<[^>]*>", " ", reply.body.decode(), flags=re.DOTALL)
    return " ".join(unescape(words).split())


def field(reply: Reply, name: str) -> str:
    """The value that a page has in a field."""
    tag = re.search(rf'<input [^>]*name="{name}"[^>]*>', reply.body.decode())
    assert tag is not None
    value = re.search(r'value="([^"]*)"', tag[0])
    return "" if value is None else unescape(value[1])


def test_what_is_typed_is_saved(visitor: Visitor) -> None:
    reply = visitor.save()

    assert (reply.status, reply.headers["Location"]) == (303, "/settings?done=saved")
    saved = visitor.api("GET", SETTINGS)
    assert (saved["host"], saved["credentialsUserName"]) == ("mail.example.com", "notify")
    page = visitor.get("/settings?done=saved")
    assert "Saved." in text(page)
    assert "A password is stored" in text(page)
    assert field(page, "revision") == "1"
    assert PASSWORD not in page.body.decode()


def test_all_that_is_wrong_is_told_and_what_was_typed_stays(visitor: Visitor) -> None:
    reply = visitor.save(host="a b", port="0x1", senderAddress="nobody")

    assert reply.status == 400
    page = reply.body.decode()
    for name in ("host", "port", "senderAddress"):
        assert f'<a href="#{name}">' in page
        assert f'id="{name}-faults"' in page
        assert re.search(rf'id="{name}"[^>]* aria-describedby="{name}-hint {name}-faults"', page)
    assert page.count('aria-invalid="true"') == 3
    assert (field(reply, "host"), field(reply, "port")) == ("a b", "0x1")
    assert field(reply, "revision") == "0"
    assert PASSWORD not in page
    assert "type it again" in text(reply)
    assert visitor.api("GET", SETTINGS)["isDefaultSettings"] is True


def test_who_saves_second_sees_what_the_first_has_saved(visitor: Visitor) -> None:
    visitor.save(host="theirs.example.com")

    reply = visitor.save(host="mine.example.com")

    assert reply.status == 412
    assert "anna@example.com saved them" in text(reply)
    assert "Server theirs.example.com mine.example.com" in text(reply)
    assert field(reply, "host") == "mine.example.com"
    assert PASSWORD not in reply.body.decode()
    assert visitor.api("GET", SETTINGS)["host"] == "theirs.example.com"
    # Having seen it, one may.
    assert visitor.save(host="mine.example.com", revision=field(reply, "revision")).status == 303
    assert visitor.api("GET", SETTINGS)["host"] == "mine.example.com"


def test_of_what_is_wrong_one_hears_too_that_it_is_old(visitor: Visitor) -> None:
    visitor.save(host="theirs.example.com")
    # No password is stored for this host any more, which would be hard to understand alone.
    reply = visitor.save(credentialsUserPassword="")
    assert reply.status == 400
    assert 'id="credentialsUserPassword-faults"' in reply.body.decode()
    assert "anna@example.com saved them" in text(reply)
    assert field(reply, "revision") == "1"


def test_a_form_that_names_no_revision_writes_over_none(visitor: Visitor) -> None:
    visitor.save()
    for revision in ("", "*", "1x", "01"):
        assert visitor.save(revision=revision, host="other.example.com").status == 412
    fields = {name: value for name, value in FORM.items() if name != "revision"}
    assert visitor.post("/settings", **fields).status == 412


def test_a_reset_goes_back_to_the_installations_relay(visitor: Visitor) -> None:
    visitor.save()
    stale = visitor.post("/settings/reset", revision="0")
    assert stale.status == 412
    assert visitor.api("GET", SETTINGS)["isDefaultSettings"] is False

    reply = visitor.post("/settings/reset", revision="1")

    assert reply.headers["Location"] == "/settings?done=reset"
    page = visitor.get("/settings?done=reset")
    assert "the installation's mail server" in text(page)
    assert field(page, "port") == "587"


def test_a_port_that_expects_tls_warns_without_it(visitor: Visitor) -> None:
    visitor.save(port="465", enableSSL="false")
    page = visitor.get("/settings").body.decode()
    assert re.search(r'id="port-warning"[^>]*>', page)
    assert not re.search(r'id="port-warning"[^>]* hidden', page)
    assert re.search(r'id="port-warning"[^>]* hidden', visitor.save(revision="x").body.decode())


def test_of_the_operators_relay_nothing_is_shown_where_it_is_hidden(visitor: Visitor) -> None:
    page = visitor.get("/settings")
    assert "This portal uses the installation's mail server" in text(page)
    assert field(page, "host") == ""


def test_a_standalone_portal_is_told_the_operators_relay(tmp_path: Path) -> None:
    relay = "smtp://operator:secret-of-it@relay.operator.example:2525?sender=noreply@example.com"
    with running_service(tmp_path, DEFAULT_RELAY_URL=relay) as service:
        page = visitor_of(service, service.portal, Role.ADMINISTRATOR).get("/settings")
    assert "relay.operator.example, port 2525, from noreply@example.com" in text(page)
    assert field(page, "senderAddress") == "noreply@example.com"
    assert field(page, "host") == field(page, "credentialsUserName") == ""
    assert "secret-of-it" not in page.body.decode()


def test_settings_that_are_switched_off_are_told_calmly(visitor: Visitor) -> None:
    visitor.service.allow_settings(visitor.portal, allowed=False)
    for path in ("/settings", "/settings/oauth2"):
        page = visitor.get(path)
        assert page.status == 402
        assert "switched off for this portal" in text(page)
        assert '<a href="/mail">' in page.body.decode()
    assert visitor.save().status == 402


def test_who_is_no_administrator_is_told_calmly(service: Service, portal: Portal) -> None:
    user = visitor_of(service, portal, Role.USER)
    for path in ("/settings", "/settings/oauth2"):
        page = user.get(path)
        assert page.status == 403
        assert "Only an administrator" in text(page)
        assert 'name="host"' not in page.body.decode()
    assert user.save().status == 403


@pytest.mark.parametrize("name", ["host", "port", "senderAddress", "senderDisplayName"])
def test_what_is_typed_is_text_wherever_it_is_shown(visitor: Visitor, name: str) -> None:
    page = visitor.save(**{name: HOSTILE, "revision": HOSTILE, "credentialsUserName": HOSTILE})
    assert page.status in (400, 412)
    assert "<script>alert" not in page.body.decode()
    assert field(page, name) == HOSTILE


def test_settings_for_an_address_are_found_without_a_script(visitor: Visitor) -> None:
    found = visitor.post("/settings/offers", **{**FORM, "senderAddress": "anna@gmail.com"})
    assert found.status == 200
    assert "Turn on 2-Step Verification" in text(found)
    assert 'href="https://myaccount.google.com/apppasswords"' in found.body.decode()
    offer = re.search(r'name="offer" value="([^"]*)"', found.body.decode())
    assert offer is not None

    taken = visitor.post("/settings/offers", **FORM, offer=unescape(offer[1]))

    assert (field(taken, "host"), field(taken, "port")) == ("smtp.gmail.com", "465")
    assert field(taken, "credentialsUserName") == "anna@gmail.com"
    assert field(taken, "senderAddress") == FORM["senderAddress"]
    assert PASSWORD not in taken.body.decode()
    assert visitor.api("GET", SETTINGS)["isDefaultSettings"] is True


def test_what_is_no_address_is_told_beside_it(visitor: Visitor) -> None:
    reply = visitor.post("/settings/offers", **{**FORM, "senderAddress": "anna"})
    assert reply.status == 400
    assert 'id="senderAddress-faults"' in reply.body.decode()


def test_where_nothing_is_known_that_is_said(visitor: Visitor) -> None:
    reply = visitor.post("/settings/offers", **{**FORM, "senderAddress": "anna@example.invalid"})
    assert "Nothing is known about this address" in text(reply)


@pytest.mark.parametrize("offer", ["", "{}", "[]", "\x00", '{"host": 7}', "{" * 10_000])
def test_an_offer_that_nobody_made_is_refused(visitor: Visitor, offer: str) -> None:
    assert visitor.post("/settings/offers", **FORM, offer=offer).status == 400


BOUND = {
    "grant": "authorization_code",
    "userName": "notify@contoso.com",
    "clientId": "an-application",
    "clientSecret": PASSWORD,
    "tenant": "contoso.com",
}


@pytest.fixture
def bound(visitor: Visitor) -> Visitor:
    """An administrator of a portal whose relay is logged in to by OAuth2, from revision 2 on."""
    visitor.save(host="smtp.office365.com")
    reply = visitor.post("/settings/oauth2", **BOUND, revision="1")
    assert reply.headers["Location"] == "/settings/oauth2?done=set"
    return visitor


def test_oauth2_needs_settings_first(visitor: Visitor) -> None:
    page = visitor.get("/settings/oauth2")
    assert page.status == 200
    assert "no mail server of its own yet" in text(page)
    assert 'id="oauth2"' not in page.body.decode()
    assert visitor.post("/settings/oauth2", **BOUND, revision="0").status == 409


def test_oauth2_is_set_up_with_what_is_known_of_the_provider(bound: Visitor) -> None:
    state = bound.api("GET", OAUTH2)
    assert (state["state"], state["provider"]) == ("consent needed", "microsoft-365")
    page = bound.get("/settings/oauth2?done=set")
    assert "Somebody has to sign in" in text(page)
    assert field(page, "clientId") == "an-application"
    assert field(page, "tokenUrl") == ""  # it stays the provider's
    assert PASSWORD not in page.body.decode()
    assert "OAuth2 is set up and waits" in text(bound.get("/settings"))


def test_all_that_is_wrong_with_oauth2_is_told_and_no_secret_shown(visitor: Visitor) -> None:
    visitor.save(host="smtp.office365.com", enableSSL="false")
    fields = BOUND | {"tenant": "", "clientId": "", "refreshToken": PASSWORD, "revision": "1"}

    page = visitor.post("/settings/oauth2", **fields)

    assert page.status == 400
    for name in ("tenant", "clientId", "refreshToken"):
        assert f'id="{name}-faults"' in page.body.decode()
    assert '<a href="/settings">Encryption' in page.body.decode()
    assert PASSWORD not in page.body.decode()


def test_oauth2_that_somebody_else_has_changed_is_not_written_over(bound: Visitor) -> None:
    reply = bound.post("/settings/oauth2", **BOUND | {"clientId": "mine"}, revision="1")
    assert reply.status == 412
    assert "anna@example.com" in text(reply)
    assert field(reply, "clientId") == "mine"
    assert bound.api("GET", OAUTH2)["clientId"] == "an-application"
    assert bound.post("/settings/oauth2/end", revision="1").status == 412


def test_a_consent_is_a_link_to_the_provider(bound: Visitor) -> None:
    page = bound.post("/settings/oauth2/authorize").body.decode()
    link = re.search(r'href="(https://login.microsoftonline.com/[^"]*)" rel="noreferrer"', page)
    assert link is not None
    assert "client_id=an-application" in unescape(link[1])


def test_there_is_no_consent_without_oauth2(visitor: Visitor) -> None:
    visitor.save()
    assert visitor.post("/settings/oauth2/authorize").status == 409


def test_a_save_that_ends_oauth2_says_so(bound: Visitor) -> None:
    reply = bound.save(revision="2")
    assert reply.headers["Location"] == "/settings?done=saved_without_oauth2"
    assert "The sign-in with OAuth2 has ended" in text(bound.get(reply.headers["Location"]))


def test_a_check_that_ends_oauth2_says_so(bound: Visitor) -> None:
    with running_sink() as relay:
        typed = {**FORM, "revision": "2", "host": "localhost", "port": str(relay.port)}
        clear = {name: typed[name] for name in typed if not name.startswith("enable")}
        page = bound.post("/settings/check", **clear, activate="when_proven")
    assert "It works and is saved" in text(page)
    assert "The sign-in with OAuth2 has ended" in text(page)


def test_a_save_without_a_password_keeps_oauth2(bound: Visitor) -> None:
    reply = bound.save(
        revision="2",
        host="smtp.office365.com",
        credentialsUserName=BOUND["userName"],
        credentialsUserPassword="",
        senderDisplayName="Somebody else",
    )
    assert reply.headers["Location"] == "/settings?done=saved"
    assert bound.api("GET", OAUTH2)["state"] == "consent needed"


def test_oauth2_is_ended(bound: Visitor) -> None:
    reply = bound.post("/settings/oauth2/end", revision="2")
    assert reply.headers["Location"] == "/settings/oauth2?done=ended"
    page = bound.get("/settings/oauth2")
    assert "Ended by anna@example.com" in text(page)
    assert bound.api("GET", OAUTH2)["state"] == "ended"


@pytest.mark.parametrize("path", ["/settings", "/settings/oauth2"])
def test_a_page_is_small_with_all_that_it_loads(bound: Visitor, path: str) -> None:
    page = bound.get(path)
    loaded = re.findall(r'(?:src|href)="(/assets/[^"]*)"', page.body.decode())
    assert len(page.body) + sum(len(bound.get(one).body) for one in loaded) < LARGEST
