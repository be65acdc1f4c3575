"""API keys: making, listing, revoking; what each permission opens; who may hold what."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from smarthost.portals.model import Permission, Role, User
from tests.contract.bodies import OPEN
from tests.contract.service import (
    ADMIN_EMAIL,
    ADMIN_PASSWORD,
    AUTHENTICATION,
    KEYS,
    SETTINGS,
    Reply,
    Service,
)

ALL = {"name": "all", "permissions": ["*"]}


def create(service: Service, key: str | None = None, **changes: Any) -> Reply:
    return service.ask("POST", KEYS, {**ALL, **changes}, key=key or service.key)


@pytest.fixture(scope="module")
def user(service: Service) -> User:
    """Somebody who is no administrator."""
    return service.open_user("user@example.com", Role.USER, password="a user's password")


@pytest.fixture(scope="module")
def session(service: Service, user: User) -> str:
    """The user's session."""
    body = {"userName": user.email, "password": "a user's password"}
    return str(service.ask("POST", AUTHENTICATION, body).json()["response"]["token"])


def test_a_new_key_is_shown_this_once(service: Service) -> None:
    answered = create(service, name="shop", permissions=["write", "read"]).json()["response"]

    assert re.fullmatch(rf"sh_{answered['id']}_[A-Za-z0-9_-]{{43}}", answered["key"])
    assert str(UUID(answered["id"])) == answered["id"]
    assert answered["keyPostfix"] == answered["key"][-4:]
    assert (answered["name"], answered["permissions"]) == ("shop", ["read", "write"])
    assert answered["isActive"] is True
    made = datetime.fromisoformat(answered["createOn"])
    assert abs(datetime.now(UTC) - made) < timedelta(minutes=1)
    assert not {"expiresAt", "lastUsed"} & set(answered)
    assert answered["createBy"]["displayName"] == ADMIN_EMAIL

    listed = service.ask("GET", KEYS, key=service.key)
    (again,) = [key for key in listed.json()["response"] if key["id"] == answered["id"]]
    assert again == {name: value for name, value in answered.items() if name != "key"}
    assert answered["key"] not in listed.body.decode()


@pytest.mark.parametrize("days", [1, 365])
def test_a_key_ends_after_its_days(service: Service, days: int) -> None:
    answered = create(service, expiresInDays=days).json()["response"]
    life = datetime.fromisoformat(answered["expiresAt"]) - datetime.fromisoformat(
        answered["createOn"]
    )

    assert abs(life - timedelta(days=days)) < timedelta(seconds=1)


def test_without_days_a_key_never_ends(service: Service) -> None:
    assert "expiresAt" not in create(service, expiresInDays=None).json()["response"]


def test_the_last_use_of_a_key_is_listed(service: Service) -> None:
    made = create(service).json()["response"]
    service.ask("GET", SETTINGS, key=made["key"])
    listed = service.ask("GET", KEYS, key=service.key).json()["response"]

    (used,) = [key["lastUsed"] for key in listed if key["id"] == made["id"]]
    assert abs(datetime.now(UTC) - datetime.fromisoformat(used)) < timedelta(minutes=1)


def test_an_expired_key_is_listed_as_not_active(service: Service) -> None:
    expired = service.open_key(expires_at=1)
    listed = service.ask("GET", KEYS, key=service.key).json()["response"]

    assert [key["isActive"] for key in listed if key["id"] == expired[3:39]] == [False]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 31}, "name"),
        ({"name": "   "}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "a\u200bb"}, "name"),
        ({"name": None}, "name"),
        ({"name": 5}, "name"),
        ({"permissions": []}, "permissions"),
        ({"permissions": ["admin"]}, "permissions"),
        ({"permissions": ["READ"]}, "permissions"),
        ({"permissions": "read"}, "permissions"),
        ({"permissions": {"read": True}}, "permissions"),
        ({"permissions": {}}, "permissions"),
        ({"permissions": None}, "permissions"),
        ({"permissions": [None]}, "permissions"),
        ({"expiresInDays": 0}, "expiresInDays"),
        ({"expiresInDays": 366}, "expiresInDays"),
        ({"expiresInDays": "30"}, "expiresInDays"),
        ({"expiresInDays": True}, "expiresInDays"),
        ({"expiresInDays": 1.5}, "expiresInDays"),
        ({"keyPostfix": "mine"}, "keyPostfix"),
    ],
)
def test_a_wrong_field_is_named(service: Service, changes: dict[str, Any], field: str) -> None:
    reply = create(service, **changes)

    assert reply.status == 400
    assert set(reply.json()["response"]["errors"]) == {field}


def test_missing_fields_are_named(service: Service) -> None:
    errors = service.ask("POST", KEYS, {}, key=service.key).json()["response"]["errors"]

    assert set(errors) == {"name", "permissions"}


@pytest.mark.parametrize("name", ["x", "x" * 30, "\u00e4" * 30, "Web shop 2"])
def test_a_name_has_1_to_30_characters(service: Service, name: str) -> None:
    assert create(service, name=name).json()["response"]["name"] == name


@pytest.mark.parametrize("form", ["{}", "unknown", "01912345-0000-7000-8000-000000000000", "%00"])
def test_an_unknown_key_is_404(service: Service, form: str) -> None:
    reply = service.ask("DELETE", f"{KEYS}/{form}", key=service.key)

    assert (reply.status, reply.json()["error"]["message"]) == (404, "There is no such key.")


def test_revoking_answers_true_and_then_404(service: Service) -> None:
    made = create(service).json()["response"]
    first = service.ask("DELETE", f"{KEYS}/{made['id']}", key=service.key)
    second = service.ask("DELETE", f"{KEYS}/{made['id']}", key=service.key)

    assert (first.json()["response"], second.status) == (True, 404)


SCOPES = {
    Permission.READ: {"GET"},
    Permission.WRITE: {"POST", "DELETE"},
    Permission.SEND: set(),
    Permission.ALL: {"GET", "POST", "DELETE"},
}


@pytest.mark.parametrize("permission", SCOPES)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
def test_a_permission_opens_what_it_says(
    service: Service, permission: Permission, method: str
) -> None:
    key = service.open_key(None, permission)
    body = OPEN if method == "POST" else None
    allowed = method.replace("HEAD", "GET") in SCOPES[permission]
    reply = service.ask(method, SETTINGS, body, key=key)

    assert reply.status == (200 if allowed else 403)
    if not allowed and method != "HEAD":
        assert f"'{'read' if method == 'GET' else 'write'}'" in reply.json()["error"]["message"]


def test_permissions_add_up(service: Service) -> None:
    key = service.open_key(None, Permission.READ, Permission.WRITE)

    assert service.ask("GET", SETTINGS, key=key).status == 200
    assert service.ask("POST", SETTINGS, OPEN, key=key).status == 200


@pytest.mark.parametrize("permission", Permission)
def test_any_key_may_ask_whether_it_is_valid(service: Service, permission: Permission) -> None:
    key = service.open_key(None, permission)

    assert service.ask("GET", AUTHENTICATION, key=key).status == 200


@pytest.mark.parametrize("permissions", [["read"], ["write"], ["send"], ["read", "write", "send"]])
def test_a_lesser_key_manages_no_keys(service: Service, permissions: list[str]) -> None:
    lesser = service.open_key(None, *map(Permission, permissions))
    before = len(service.ask("GET", KEYS, key=service.key).json()["response"])

    assert service.ask("GET", KEYS, key=lesser).status == 403
    assert create(service, lesser).status == 403
    assert create(service, lesser, permissions=permissions).status == 403
    assert service.ask("DELETE", f"{KEYS}/{lesser[3:39]}", key=lesser).status == 403
    assert len(service.ask("GET", KEYS, key=service.key).json()["response"]) == before


def test_keys_are_managed_with_a_session_basic_or_a_full_key(service: Service) -> None:
    body = {"userName": ADMIN_EMAIL, "password": ADMIN_PASSWORD}
    token = service.ask("POST", AUTHENTICATION, body).json()["response"]["token"]

    for credential in (service.open_key(), token):
        made = create(service, credential)
        assert made.status == 200
        path = f"{KEYS}/{made.json()['response']['id']}"
        assert service.ask("DELETE", path, key=credential).status == 200


# --- users who are no administrators


def test_a_user_holds_send_keys_and_no_others(service: Service, session: str) -> None:
    assert create(service, session, permissions=["send"]).status == 200
    for permissions in (["*"], ["read"], ["write"], ["send", "read"]):
        assert create(service, session, permissions=permissions).status == 403


def test_only_administrators_reach_the_settings(
    service: Service, session: str, user: User
) -> None:
    everything = service.open_key(user, Permission.ALL)

    for credential in (session, everything):
        for method in ("GET", "POST", "DELETE"):
            reply = service.ask(method, SETTINGS, OPEN, key=credential)
            assert reply.status == 403
            assert "administrator" in reply.json()["error"]["message"]


def test_a_user_sees_and_revokes_only_their_own_keys(
    service: Service, session: str, user: User
) -> None:
    own = service.open_key(user, Permission.SEND)
    of_admin = service.open_key()
    listed = service.ask("GET", KEYS, key=session).json()["response"]

    assert own[3:39] in {key["id"] for key in listed}
    assert {key["createBy"]["displayName"] for key in listed} == {user.email}
    foreign = service.ask("DELETE", f"{KEYS}/{of_admin[3:39]}", key=session)
    unknown = service.ask("DELETE", f"{KEYS}/01912345-0000-7000-8000-000000000000", key=session)
    assert (foreign.status, foreign.body) == (404, unknown.body)
    assert service.ask("GET", SETTINGS, key=of_admin).status == 200
    assert service.ask("DELETE", f"{KEYS}/{own[3:39]}", key=session).status == 200


def test_an_administrator_sees_and_revokes_all_of_the_portal(service: Service, user: User) -> None:
    theirs = service.open_key(user, Permission.SEND)
    listed = service.ask("GET", KEYS, key=service.key).json()["response"]

    assert theirs[3:39] in {key["id"] for key in listed}
    assert service.ask("DELETE", f"{KEYS}/{theirs[3:39]}", key=service.key).status == 200
    assert service.ask("GET", AUTHENTICATION, key=theirs).status == 401
