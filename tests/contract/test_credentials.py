"""Credentials: every form of a token, which goes before which, and who is nobody."""

from base64 import b64encode
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from smarthost.audit.model import OPERATOR, Actor
from smarthost.clock import MICROSECONDS
from smarthost.database.engine import Transaction
from smarthost.portals.model import Permission, Role, User
from tests.contract.service import (
    ADMIN_EMAIL,
    ADMIN_PASSWORD,
    AUTHENTICATION,
    KEYS,
    SETTINGS,
    Headers,
    Service,
)

Form = Callable[[str], Headers]

FORMS: dict[str, Form] = {
    "cookie": lambda token: {"Cookie": f"asc_auth_key={token}"},
    "cookie among others": lambda token: {"Cookie": f"a=b; asc_auth_key={token};c=d"},
    "cookie in a second field": lambda token: [
        ("Cookie", f"asc_auth_key={token}"),
        ("Cookie", "a=b"),
    ],
    "raw": lambda token: {"Authorization": token},
    "bearer": lambda token: {"Authorization": f"Bearer {token}"},
    "bearer in small letters": lambda token: {"Authorization": f"bearer  {token}"},
    "ApiKeyBearer": lambda token: {"ApiKeyBearer": token},
    "apikeybearer": lambda token: {"apikeybearer": token},
}
MOST = "a" * 256


def basic(name: str, password: str) -> str:
    return "Basic " + b64encode(f"{name}:{password}".encode()).decode()


def status(service: Service, headers: Headers) -> int:
    return service.ask("GET", SETTINGS, headers=headers).status


def session(service: Service) -> str:
    body = {"userName": ADMIN_EMAIL, "password": ADMIN_PASSWORD}
    return str(service.ask("POST", AUTHENTICATION, body).json()["response"]["token"])


@pytest.fixture(scope="module")
def another(service: Service) -> str:
    """A key of a second administrator."""
    return service.open_key(service.open_user("second@example.com", Role.ADMINISTRATOR))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_key_is_taken_in_every_form(service: Service, form: Form) -> None:
    assert status(service, form(service.key)) == 200


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_session_is_taken_in_every_form(service: Service, form: Form) -> None:
    assert status(service, form(session(service))) == 200


@pytest.mark.parametrize(
    "name", [ADMIN_EMAIL, ADMIN_EMAIL.upper()], ids=["as stored", "in capitals"]
)
def test_basic_takes_an_address_and_a_password(service: Service, name: str) -> None:
    assert status(service, {"Authorization": basic(name, ADMIN_PASSWORD)}) == 200


def test_a_password_may_have_a_colon_and_letters_beyond_ascii(service: Service) -> None:
    password = "a:b:\u00e4\u20ac"
    service.open_user("colon@example.com", Role.ADMINISTRATOR, password=password)

    assert status(service, {"Authorization": basic("colon@example.com", password)}) == 200


def test_nobody_is_401_with_a_challenge_that_opens_no_dialogue(service: Service) -> None:
    reply = service.ask("GET", SETTINGS)

    assert reply.status == 401
    assert reply.headers["WWW-Authenticate"].startswith("Bearer ")
    assert "asc_auth_key" in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic"},
        {"Authorization": "Basic !"},
        {"Authorization": "Basic " + b64encode(b"\xff:\xff").decode()},
        {"Authorization": "Basic " + "A" * 9000},
        {"Authorization": "Digest username=x"},
        {"Authorization": "864FE52C-1C1C-469F-9308-51DAFEFE7436"},
        {"Authorization": "\u00e9"},
        {"Cookie": "asc_auth_key="},
        {"Cookie": "asc_auth_key"},
        {"Cookie": ";;="},
        {"ApiKeyBearer": "sh_"},
        {"ApiKeyBearer": MOST},
        {"Authorization": MOST + "a"},
        {"Authorization": f"Bearer {MOST}"},
        {"Cookie": f"asc_auth_key={MOST * 100}"},
    ],
)
def test_what_proves_nothing_is_401(service: Service, headers: Headers) -> None:
    assert status(service, headers) == 401


def test_a_name_of_another_case_is_another_cookie(service: Service) -> None:
    assert status(service, {"Cookie": f"ASC_AUTH_KEY={service.key}"}) == 401


@pytest.mark.parametrize(
    "wrong",
    [
        lambda key: key[:-1] + ("A" if key[-1] != "A" else "B"),
        lambda key: key[:40] + ("A" if key[40] != "A" else "B") + key[41:],
        lambda key: "sh_01912345-0000-7000-8000-000000000000" + key[39:],
        lambda key: "ss" + key[2:],
        lambda key: key.upper(),
        lambda key: key + "A",
        lambda key: key[:-1],
        lambda key: f"{key} {key}",
    ],
    ids=["last letter", "first letter", "unknown id", "kind", "case", "longer", "shorter",
         "twice"],
)  # fmt: skip
def test_a_token_that_is_nearly_right_is_401_with_the_same_words(
    service: Service, wrong: Callable[[str], str]
) -> None:
    given = wrong(service.key)
    reply = service.ask("GET", SETTINGS, headers={"Authorization": given})

    assert reply.status == 401
    assert reply.body == service.ask("GET", SETTINGS, headers={"Authorization": "x"}).body


def test_an_expired_key_is_401(service: Service) -> None:
    now = service.parts.clock.now()
    gone = service.open_key(expires_at=now)
    short = service.open_key(expires_at=now + 3600 * MICROSECONDS)

    assert status(service, {"Authorization": gone}) == 401
    assert status(service, {"Authorization": short}) == 200


def test_a_revoked_key_is_401_from_the_next_request_on(service: Service) -> None:
    made = service.ask("POST", KEYS, {"name": "x", "permissions": ["*"]}, key=service.key)
    key = made.json()["response"]
    assert status(service, {"Authorization": key["key"]}) == 200

    service.ask("DELETE", f"{KEYS}/{key['id']}", key=service.key)
    assert status(service, {"Authorization": key["key"]}) == 401


def test_an_expired_session_is_401(service: Service) -> None:
    token = session(service)

    async def age(tx: Transaction) -> None:
        await tx.execute(
            "UPDATE sessions SET expires_at = 1 WHERE portal_id = $1 AND id = $2",
            service.portal.id,
            token[3:39],
        )

    service.run(service.parts.database.transact(age))
    assert status(service, {"Authorization": token}) == 401


def test_a_removed_user_is_nobody_with_every_credential(service: Service) -> None:
    password = "gone is gone"
    user = service.open_user("gone@example.com", Role.ADMINISTRATOR, password=password)
    key = service.open_key(user)
    body = {"userName": user.email, "password": password}
    token = service.ask("POST", AUTHENTICATION, body).json()["response"]["token"]
    given = (key, token, basic(user.email, password))
    assert [status(service, {"Authorization": one}) for one in given] == [200, 200, 200]

    service.remove_user(user)

    assert [status(service, {"Authorization": one}) for one in given] == [401, 401, 401]


def test_a_role_holds_from_the_next_request_on(service: Service) -> None:
    user = service.open_user("climber@example.com")
    key = service.open_key(user)
    seen = []
    for role in (Role.USER, Role.ADMINISTRATOR, Role.USER):
        service.run(service.parts.database.transact(_role(user, role)))
        seen.append(status(service, {"Authorization": key}))

    assert seen == [403, 200, 403]


def _role(user: User, role: Role) -> Callable[[Transaction], Coroutine[Any, Any, None]]:
    async def work(tx: Transaction) -> None:
        await tx.execute(
            "UPDATE users SET role = $3 WHERE portal_id = $1 AND id = $2",
            user.portal_id,
            user.id,
            role.value,
        )

    return work


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_sign_in_link_is_no_credential_and_stays_as_good(service: Service, form: Form) -> None:
    links = service.parts.links
    _, token = service.run(links.make(service.admin, Actor(name=OPERATOR)))
    assert status(service, form(token.text().reveal())) == 401
    user = service.run(links.look(service.portal, token.text()))
    assert user is not None
    assert user.email == ADMIN_EMAIL


# --- several credentials in one request


def test_credentials_of_one_user_go_together(service: Service) -> None:
    second = service.open_key()
    headers = {"Authorization": service.key, "ApiKeyBearer": second} | {
        "Cookie": f"asc_auth_key={session(service)}"
    }

    assert status(service, headers) == 200


@pytest.mark.parametrize("first", ["Authorization", "ApiKeyBearer", "Cookie"])
@pytest.mark.parametrize("second", ["Authorization", "ApiKeyBearer", "Cookie"])
def test_credentials_of_two_users_are_401(
    service: Service, another: str, first: str, second: str
) -> None:
    if first == second:
        return
    prefix = {"Cookie": "asc_auth_key="}
    headers = {
        first: prefix.get(first, "") + service.key,
        second: prefix.get(second, "") + another,
    }
    reply = service.ask("GET", SETTINGS, headers=headers)

    assert reply.status == 401
    assert "two different users" in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    "headers",
    [
        [("Cookie", "asc_auth_key={0}; asc_auth_key={0}")],
        [("Cookie", "asc_auth_key={0}; asc_auth_key=")],
        [("Cookie", "asc_auth_key={0}"), ("Cookie", "asc_auth_key={0}")],
        [("Cookie", "asc_auth_key=other"), ("Cookie", "asc_auth_key={0}")],
        [("Cookie", "asc_auth_key={0}; asc_auth_key={0}"), ("Authorization", "{0}")],
    ],
)
def test_the_cookie_twice_is_401(service: Service, headers: list[tuple[str, str]]) -> None:
    given = [(name, value.format(service.key)) for name, value in headers]
    reply = service.ask("GET", SETTINGS, headers=given)

    assert reply.status == 401
    assert "twice" in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    ("first", "second"),
    [("Authorization", "ApiKeyBearer"), ("ApiKeyBearer", "Cookie"), ("Authorization", "Cookie")],
)
def test_the_first_credential_says_what_is_allowed(
    service: Service, first: str, second: str
) -> None:
    """`Authorization` goes before `ApiKeyBearer`, and that before the cookie."""
    prefix = {"Cookie": "asc_auth_key="}
    lesser = service.open_key(None, Permission.SEND)
    for one, other, expected in ((lesser, service.key, 403), (service.key, lesser, 200)):
        headers = {first: prefix.get(first, "") + one, second: prefix.get(second, "") + other}

        assert status(service, headers) == expected


@pytest.mark.parametrize("foreign", ["Basic cHJveHk6cHJveHk=", "Negotiate abc", "x", ""])
def test_an_authorization_that_is_none_of_ours_leaves_the_cookie_alone(
    service: Service, foreign: str
) -> None:
    headers = {"Authorization": foreign, "Cookie": f"asc_auth_key={service.key}"}

    assert status(service, headers) == 200


@pytest.mark.parametrize("header", ["Authorization", "ApiKeyBearer"])
def test_the_cookie_does_not_stand_in_for_a_token_that_is_not_valid(
    service: Service, header: str
) -> None:
    expired = service.open_key(expires_at=1)
    headers = {header: expired, "Cookie": f"asc_auth_key={service.key}"}

    assert status(service, headers) == 401


def test_a_cookie_that_has_expired_does_not_matter_beside_a_key(service: Service) -> None:
    expired = service.open_key(expires_at=1)
    headers = {"Authorization": service.key, "Cookie": f"asc_auth_key={expired}"}

    assert status(service, headers) == 200


def test_a_credential_in_the_url_is_none(service: Service) -> None:
    assert service.ask("GET", f"{SETTINGS}?asc_auth_key={service.key}").status == 401
