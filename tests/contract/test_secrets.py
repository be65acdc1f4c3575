"""A saved password, and every other secret, is in no answer to anybody."""

import json
from base64 import b64encode
from typing import Any
from urllib.parse import quote

from smarthost.portals.model import Permission, Role
from tests.contract.bodies import LOGIN
from tests.contract.service import (
    ADMIN_EMAIL,
    ADMIN_PASSWORD,
    AUTHENTICATION,
    BASE_DOMAIN,
    KEYS,
    SETTINGS,
    Service,
)

WEBHOOK = "/api/2.0/webhook"
CANARY = "CANARY \u00e4/7c1e"
USER_PASSWORD = "CANARY of a user"
PATHS = (
    SETTINGS,
    f"{SETTINGS}/test",
    f"{SETTINGS}/test/events",
    f"{SETTINGS}/check",
    f"{SETTINGS}/check/events",
    f"{SETTINGS}/health",
    f"{SETTINGS}/history",
    f"{SETTINGS}/oauth2",
    WEBHOOK,
    "/api/2.0/smtpsettings",
    AUTHENTICATION,
    f"{AUTHENTICATION}/logout",
    KEYS,
    f"{KEYS}/01912345-0000-7000-8000-000000000000",
    "/api/2.0",
    "/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/nothing",
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def forms(secret: str) -> set[str]:
    octets = secret.encode()
    return {
        secret,
        json.dumps(secret)[1:-1],
        quote(secret),
        octets.hex(),
        b64encode(octets).decode().rstrip("=")[:-1],
    }


def crawl(service: Service, key: str | None, body: Any) -> str:
    """Return all that one caller gets from every path; `body` goes along with what takes one."""
    seen = []
    for path in PATHS:
        for method in METHODS:
            given = body if method in ("POST", "PUT", "PATCH") else None
            reply = service.ask(method, path, given, key=key)
            seen.append(f"{method} {path} {reply.headers} {reply.body.decode()}")
    return "\n".join(seen)


def test_no_answer_to_anybody_has_a_secret_in_it(portals_service: Service) -> None:
    service = portals_service
    user = service.open_user("user@example.com", password=USER_PASSWORD)
    stranger_portal = service.open_portal("stranger")
    stranger = service.open_user("s@x.example", Role.ADMINISTRATOR, portal=stranger_portal)
    callers = [
        None,
        service.key,
        service.open_key(None, Permission.READ),
        service.open_key(None, Permission.WRITE),
        service.open_key(user),
        service.open_key(stranger),
    ]
    right = {**LOGIN, "credentialsUserPassword": CANARY}
    bodies: list[Any] = [
        right,
        {**right, "port": 0},
        {**right, "credentialsUserPassword": f"{CANARY}\n"},
        {**right, "credentialsUserPassword": [CANARY]},
        {**right, "PASSWORD": CANARY},
        {"userName": CANARY, "password": USER_PASSWORD + "x"},
        json.dumps(right).encode()[:-1],
    ]
    seen = ""
    secrets = [CANARY, USER_PASSWORD, ADMIN_PASSWORD, *filter(None, callers)]
    for body in bodies:
        for caller in callers:
            service.ask("POST", SETTINGS, right, key=service.key)
            webhook = {"url": "https://app.example.com/", "newSecret": True}
            made = service.ask("PUT", WEBHOOK, webhook, key=service.key).json()["response"]
            secrets.append(made["secret"])
            seen += crawl(service, caller, body)

    for secret in secrets:
        assert not [form for form in forms(secret) if form in seen]
    # The crawl has seen what it was to see.
    assert LOGIN["host"] in seen
    assert ADMIN_EMAIL in seen
    assert BASE_DOMAIN in seen


def test_another_portal_s_settings_are_in_no_answer(portals_service: Service) -> None:
    service = portals_service
    portal = service.open_portal("curious")
    key = service.open_key(service.open_user("c@x.example", Role.ADMINISTRATOR, portal=portal))
    service.ask("POST", SETTINGS, LOGIN, key=service.key)
    seen = ""
    for path in PATHS:
        for method in METHODS:
            reply = service.ask(method, path, LOGIN_OF_ANOTHER, key=key, portal=portal)
            seen += f"{reply.headers} {reply.body.decode()}"

    documented = service.ask("GET", "/openapi.json").body.decode()
    for value in (LOGIN["host"], LOGIN["senderAddress"], LOGIN["credentialsUserName"]):
        # Examples in the document may have the same name.
        assert value not in seen.replace(documented, "")


LOGIN_OF_ANOTHER = {"host": "other.example", "senderAddress": "a@other.example", "port": 0}
