"""OAuth2 in place of a password: set up, looked at and ended, by HTTP."""

import json
import zlib
from datetime import UTC, datetime
from typing import Any

import pytest

from smarthost.portals.model import Permission, Portal, Role
from smarthost.secret import Secret
from smarthost.smtp_settings.binding.model import NoOwnSettingsError
from smarthost.smtp_settings.binding.tokens.store import Fetched
from tests.contract.bodies import LOGIN, OPEN, PASSWORD
from tests.contract.service import SETTINGS, Reply, Service
from tests.journeys.sink import running_sink
from tests.smtp_settings.binding.bindings import EMAIL, private_key

OAUTH2 = f"{SETTINGS}/oauth2"
HEALTH = f"{SETTINGS}/health"
NOTICE = "X-Smarthost-Notice"
SECRET = "CANARY of the application"
APPLICATION: dict[str, Any] = {
    "grant": "client_credentials",
    "clientId": "app-4711",
    "clientSecret": SECRET,
    "tokenUrl": "https://login.example.net/token",
    "scope": "smtp.send",
    "userName": "notify@example.com",
}
CONSENTED: dict[str, Any] = {
    "grant": "authorization_code",
    "provider": "microsoft-365",
    "tenant": "contoso.onmicrosoft.com",
    "clientId": "app-4711",
    "userName": "notify@contoso.com",
}
GOOGLE = "https://oauth2.googleapis.com/token"


class Desk:
    """An administrator at a portal of their own."""

    def __init__(self, service: Service, name: str) -> None:
        self.service = service
        self.portal: Portal = service.open_portal(name)
        user = service.open_user("anna@example.org", Role.ADMINISTRATOR, portal=self.portal)
        self.key = service.open_key(user)
        self.reader = service.open_key(user, Permission.READ)

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Reply:
        headers = {"If-Match": more["if_match"]} if "if_match" in more else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        key = more.get("key", self.key)
        return self.service.ask(method, path, body, headers=headers, key=key, portal=self.portal)

    def saved(self, body: dict[str, Any] = LOGIN, **fields: Any) -> Reply:
        reply = self.ask("POST", SETTINGS, body | fields)
        assert reply.status == 200, reply.body
        return reply

    def put(self, body: dict[str, Any] = APPLICATION, **fields: Any) -> Any:
        reply = self.ask("PUT", OAUTH2, body | fields)
        assert reply.status == 200, reply.body
        return reply.json()["response"]

    def state(self) -> Any:
        return self.ask("GET", OAUTH2).json()["response"]

    def fetched(self, **news: Any) -> None:
        """Write down what a request for a token has come to."""
        revision = self.state()["revision"]
        keep = self.service.parts.tokens.keep(self.portal.id, revision, Fetched(**news))
        self.service.run(keep)


@pytest.fixture
def desk(portals_service: Service, request: pytest.FixtureRequest) -> Desk:
    return Desk(portals_service, f"o{zlib.crc32(request.node.name.encode()):x}")


def faults(reply: Reply) -> set[str]:
    assert reply.status == 400, reply.body
    return set(reply.json()["response"]["errors"])


def test_it_is_set_up_shown_and_ended(desk: Desk) -> None:
    began = datetime.now(UTC)
    assert desk.state() == {"state": "none", "revision": 0}
    desk.saved()
    assert desk.state() == {"state": "none", "revision": 1}
    shown = {name: value for name, value in APPLICATION.items() if name != "clientSecret"}
    ready = shown | {"state": "ready", "revision": 2}
    assert desk.put() == ready == desk.state()
    read = desk.ask("GET", OAUTH2)
    assert read.headers["ETag"] == '"2"' == desk.ask("GET", SETTINGS).headers["ETag"]
    settings = desk.ask("GET", SETTINGS).json()["response"]
    assert settings["credentialsUserName"] == "notify@example.com"
    assert settings["enableAuth"] is True
    ended = desk.ask("DELETE", OAUTH2)
    told = ended.json()["response"]
    assert (ended.status, ended.headers["ETag"]) == (200, '"3"')
    assert began <= datetime.fromisoformat(told.pop("endedAt")) <= datetime.now(UTC)
    assert told == {"state": "ended", "revision": 3, "endedBy": "anna@example.org"}
    after = desk.ask("GET", SETTINGS).json()["response"]
    assert (after["host"], after["enableAuth"]) == (LOGIN["host"], False)
    assert desk.ask("DELETE", OAUTH2).headers["ETag"] == '"3"'


def test_what_is_known_of_a_provider_need_not_be_typed(desk: Desk) -> None:
    desk.saved(host="smtp.office365.com")
    told = desk.put(CONSENTED | {"provider": None})
    base = "https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0"
    assert told["provider"] == "microsoft-365"
    assert (told["tokenUrl"], told["authorizationUrl"]) == (f"{base}/token", f"{base}/authorize")
    assert told["scope"] == "https://outlook.office.com/SMTP.Send offline_access"
    told = desk.put(CONSENTED | {"grant": "client_credentials", "clientSecret": SECRET})
    assert told["scope"] == "https://outlook.office365.com/.default"
    assert "authorizationUrl" not in told


@pytest.mark.parametrize("as_text", [False, True])
def test_a_service_account_is_sent_as_an_object_or_as_its_text(desk: Desk, as_text: bool) -> None:
    desk.saved(host="smtp.gmail.com")
    file = {"client_email": EMAIL, "private_key": private_key(), "token_uri": GOOGLE, "more": [{}]}
    account = json.dumps(file) if as_text else file
    told = desk.put(
        {"grant": "service_account", "serviceAccount": account, "userName": "a@b.test"}
    )
    assert (told["clientId"], told["tokenUrl"]) == (EMAIL, GOOGLE)
    again = {"grant": "service_account", "clientId": EMAIL, "userName": "a@b.test"}
    assert desk.put(again | {"subject": "boss@b.test"})["subject"] == "boss@b.test"


def test_every_wrong_field_is_named_at_once_as_it_was_sent(desk: Desk) -> None:
    desk.saved(enableSSL=False, useNtlm=True)
    wrong = APPLICATION | {
        "tokenUrl": "http://a.test",
        "scope": 7,
        "clientSecret": "",
        "nothing": 1,
    }
    wrong["USERNAME"] = wrong.pop("userName") + "\n"
    assert faults(desk.ask("PUT", OAUTH2, wrong)) == {
        "tokenUrl",
        "scope",
        "clientSecret",
        "nothing",
        "USERNAME",
        "enableSSL",
        "useNtlm",
    }
    assert faults(desk.ask("PUT", OAUTH2, {"grant": "password"})) >= {"grant", "userName"}
    assert desk.state()["revision"] == 1


@pytest.mark.parametrize(
    "account",
    [
        b'{"a": 1, "a": 2}',
        b"[1]",
        b"7",
        b'{"a":' * 400 + b"1" + b"}" * 400,
        b'"' + b"x" * 17_000 + b'"',
    ],
)
def test_what_is_no_service_account_is_refused(desk: Desk, account: bytes) -> None:
    desk.saved(host="smtp.gmail.com")
    body = b'{"grant":"service_account","userName":"a","clientId":"b","serviceAccount":%s}'
    assert faults(desk.ask("PUT", OAUTH2, body % account)) == {"serviceAccount"}


@pytest.mark.parametrize("extra", [{"nothing": 1}, {"scope": 7}, {"grant": None, "GRANT": 1}])
def test_a_body_that_could_not_be_read_whole_changes_nothing(
    desk: Desk, extra: dict[str, Any]
) -> None:
    assert desk.ask("PUT", OAUTH2, APPLICATION | extra).status == 400
    desk.saved()
    assert desk.ask("PUT", OAUTH2, APPLICATION | extra).status == 400
    assert desk.state() == {"state": "none", "revision": 1}


def test_without_settings_of_its_own_there_is_nothing_to_bind(desk: Desk) -> None:
    reply = desk.ask("PUT", OAUTH2, APPLICATION)
    assert reply.status == 409
    assert reply.json()["error"]["message"] == str(NoOwnSettingsError())
    assert desk.ask("PUT", OAUTH2, APPLICATION, if_match='"3"').status == 412


def test_only_what_was_seen_is_changed(desk: Desk) -> None:
    desk.saved()
    assert desk.ask("PUT", OAUTH2, APPLICATION, if_match='"0"').status == 412
    assert desk.ask("PUT", OAUTH2, APPLICATION, if_match='"1"').headers["ETag"] == '"2"'
    late = desk.ask("DELETE", OAUTH2, if_match='"1"')
    assert late.status == 412
    assert "revision 2 saved by anna@example.org (credentialsUserName, oauth2)" in str(late.body)
    assert desk.ask("DELETE", OAUTH2, if_match='"2"').status == 200


def test_who_may_only_read_changes_nothing(desk: Desk) -> None:
    desk.saved()
    assert desk.ask("GET", OAUTH2, key=desk.reader).status == 200
    for method, body in (("PUT", APPLICATION), ("DELETE", None)):
        assert desk.ask(method, OAUTH2, body, key=desk.reader).status == 403
        assert desk.ask(method, OAUTH2, body, key=None).status == 401
    desk.service.allow_settings(desk.portal, allowed=False)
    for method, body in (("GET", None), ("PUT", APPLICATION), ("DELETE", None)):
        assert desk.ask(method, OAUTH2, body).status == 402


# The contract's own end points.


def test_the_contract_shows_it_as_any_other_login(desk: Desk) -> None:
    before = desk.saved(credentialsUserName="notify@example.com")
    desk.put()
    after = desk.ask("GET", SETTINGS)
    assert after.json()["response"] == before.json()["response"]


def test_a_save_without_a_password_keeps_it(desk: Desk) -> None:
    desk.saved()
    desk.put()
    body = desk.ask("GET", SETTINGS).json()["response"]
    assert desk.saved(body).headers["ETag"] == '"2"'
    kept = desk.saved(body, senderDisplayName="Other")
    assert (kept.headers["ETag"], kept.headers[NOTICE]) == ('"3"', None)
    assert desk.state()["state"] == "ready"


@pytest.mark.parametrize(
    "changes",
    [
        {"credentialsUserPassword": PASSWORD},
        {"enableAuth": False},
        {"credentialsUserPassword": PASSWORD, "host": "other.example.com"},
        {"credentialsUserPassword": PASSWORD, "useNtlm": True},
    ],
)
def test_another_login_ends_it_and_the_answer_says_so(desk: Desk, changes: dict[str, Any]) -> None:
    assert desk.saved().headers[NOTICE] is None
    desk.put()
    body = desk.ask("GET", SETTINGS).json()["response"]
    assert desk.saved(body, **changes).headers[NOTICE] == "The OAuth2 sign-in has ended."
    assert desk.saved(body, **changes).headers[NOTICE] is None
    told = desk.state()
    assert (told["state"], told["endedBy"], told["revision"]) == ("ended", "anna@example.org", 3)
    newest = desk.ask("GET", f"{SETTINGS}/history").json()["response"][0]
    assert "oauth2" in newest["changed"]


def test_a_check_that_saves_another_login_says_so_too(desk: Desk) -> None:
    desk.saved()
    desk.put()
    with running_sink() as relay:
        body = {"host": "localhost", "port": relay.port, "senderAddress": "notify@example.com"}
        for told in ("The OAuth2 sign-in has ended.", None):
            checked = desk.ask("POST", f"{SETTINGS}/check?activate=when_proven", body).json()
            assert checked["response"]["saved"] is True
            assert checked["response"].get("notice") == told


def test_for_another_destination_a_password_is_needed(desk: Desk) -> None:
    desk.saved()
    desk.put()
    body = desk.ask("GET", SETTINGS).json()["response"]
    for changes in ({"host": "evil.example.org"}, {"port": 25}, {"enableSSL": False}):
        assert faults(desk.ask("POST", SETTINGS, body | changes)) == {"credentialsUserPassword"}
    assert desk.state()["state"] == "ready"


def test_a_portal_without_it_is_answered_as_ever(desk: Desk) -> None:
    """No field and no header but those that there were before there was OAuth2."""
    ever = {"content-type", "content-length", "cache-control", "x-request-id", "date", "etag"}
    ever.add("x-content-type-options")
    saved = desk.saved()
    replies = [
        saved,
        desk.ask("GET", SETTINGS),
        desk.saved(OPEN),
        desk.ask("DELETE", SETTINGS),
    ]
    for reply in replies:
        extra = {name.lower() for name in reply.headers} - ever
        assert all(name.startswith("x-ratelimit-") for name in extra), extra
        assert b"oauth2" not in reply.body.lower()
    assert saved.json()["response"] == LOGIN | {
        "credentialsUserPassword": "",
        "isDefaultSettings": False,
    }
    assert replies[1].json()["response"] == saved.json()["response"]
    assert "oauth2" not in desk.ask("GET", HEALTH).json()["response"]


def test_a_restore_brings_it_back(desk: Desk) -> None:
    desk.saved()
    ready = desk.put()
    desk.ask("DELETE", SETTINGS)
    assert desk.state()["state"] == "ended"
    assert desk.ask("POST", f"{SETTINGS}/history/2/restore").status == 200
    assert desk.state() == ready | {"revision": 4}


# What became of its tokens.


def test_a_consent_is_needed_until_there_is_a_refresh_token(desk: Desk) -> None:
    desk.saved(host="smtp.office365.com")
    told = desk.put(CONSENTED)
    assert told["state"] == "consent needed"
    assert (told["failure"]["step"], told["failure"]["code"]) == (
        "authenticate",
        "oauth2_consent_needed",
    )
    health = desk.ask("GET", HEALTH).json()["response"]["oauth2"]
    assert health == {"state": "consent needed", "failure": told["failure"]}
    desk.fetched(at=1_000_000, expires_at=3_000_000, refresh=Secret("CANARY-refresh"))
    told = desk.state()
    assert told["state"] == "ready"
    assert (told["fetchedAt"], told["expiresAt"]) == (
        "1970-01-01T00:00:01Z",
        "1970-01-01T00:00:03Z",
    )
    health = desk.ask("GET", HEALTH).json()["response"]["oauth2"]
    assert health == {"state": "ready", "expiresAt": "1970-01-01T00:00:03Z"}


@pytest.mark.parametrize(
    ("error", "state", "permanent"),
    [
        ("refused", "failed", True),
        ("unavailable", "failed", False),
        ("consent_needed", "consent needed", True),
    ],
)
def test_a_failure_is_explained_with_what_the_provider_said(
    desk: Desk, error: str, state: str, permanent: bool
) -> None:
    desk.saved()
    desk.put()
    desk.fetched(at=1, error=error, said="invalid_client: no such application")
    told = desk.state()
    assert told["state"] == state
    failure = told["failure"]
    assert (failure["code"], failure["permanent"]) == (f"oauth2_{error}", permanent)
    assert failure["reply"] == "invalid_client: no such application"
    assert failure["title"]
    assert desk.ask("GET", HEALTH).json()["response"]["oauth2"]["failure"] == failure


def test_no_answer_has_a_secret_in_it(desk: Desk) -> None:
    refresh, key = "CANARY-refresh-0", private_key()
    desk.saved(host="smtp.gmail.com")
    seen = b""
    file = {"client_email": EMAIL, "private_key": key, "token_uri": GOOGLE}
    account = {"grant": "service_account", "userName": "a", "serviceAccount": file}
    refreshed = APPLICATION | {"grant": "refresh_token", "refreshToken": refresh}
    for body in (
        APPLICATION,
        APPLICATION | {"scope": ""},
        APPLICATION | {"clientSecret": [SECRET]},
        APPLICATION | {"clientSecret": f"{SECRET}\n", "CLIENTSECRET": SECRET},
        refreshed,
        refreshed | {"grant": "client_credentials"},
        account,
        account | {"serviceAccount": [key]},
        account | {"serviceAccount": key.replace("A", "B")},
    ):
        for method, path in (
            ("PUT", OAUTH2),
            ("GET", OAUTH2),
            ("GET", SETTINGS),
            ("GET", HEALTH),
            ("GET", f"{SETTINGS}/history"),
        ):
            reply = desk.ask(method, path, body if method == "PUT" else None)
            assert reply.status in (200, 400)
            seen += str(reply.headers).encode() + reply.body
    for secret in (SECRET, refresh, "PRIVATE KEY", key[100:140]):
        assert secret.encode() not in seen
    assert EMAIL.encode() in seen
