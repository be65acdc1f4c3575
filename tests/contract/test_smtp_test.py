"""The test message as a client starts and watches it, against relays that answer by a script."""

import time
from email import message_from_bytes
from email.message import Message
from typing import Any

import pytest

from smarthost.portals.model import Permission, Role
from tests.contract.relays import Inbox, Pausing, refuse_login, running_relay
from tests.contract.service import (
    BASE_DOMAIN,
    SETTINGS,
    MakeService,
    Reply,
    Service,
)

TEST = f"{SETTINGS}/test"
STATUS = f"{TEST}/status"
SENDER = "notify@example.com"
_PATIENCE = 45.0


def save(service: Service, port: int, **fields: object) -> None:
    body = {"host": "localhost", "port": port, "senderAddress": SENDER, **fields}
    reply = service.ask("POST", SETTINGS, body, key=service.key)
    assert reply.status == 200, reply.body


def start(service: Service, **asking: Any) -> Any:
    return answered(service.ask("GET", TEST, **{"key": service.key, **asking}))


def status(service: Service, **asking: Any) -> Any:
    return answered(service.ask("GET", STATUS, **{"key": service.key, **asking}))


def answered(reply: Reply) -> Any:
    assert reply.status == 200, reply.body
    return reply.json().get("response")


def ended(service: Service, **asking: Any) -> Any:
    """Watch the test to its end."""
    until = time.monotonic() + _PATIENCE
    while not (state := status(service, **asking))["completed"]:
        assert time.monotonic() < until, state
        time.sleep(0.05)
    return state


def read(message: bytes) -> Message:
    return message_from_bytes(message.removesuffix(b".\r\n"))


def test_before_the_first_test_there_is_nothing_to_answer(make: MakeService) -> None:
    service = make()
    reply = service.ask("GET", STATUS, key=service.key)
    assert reply.status == 200
    assert (reply.json()["count"], "response" in reply.json()) == (0, False)


def test_a_test_goes_through_the_saved_settings_to_the_person_who_asked(
    make: MakeService,
) -> None:
    service, inbox = make(), Inbox()
    user = service.open_user("anna@example.org", Role.ADMINISTRATOR)
    key = service.open_key(user, Permission.READ, Permission.WRITE)
    with running_relay(inbox) as relay:
        save(service, relay.port)
        started = start(service, key=key)
        state = ended(service, key=key)
    assert list(started) == ["completed", "id", "error", "status", "percents"]
    assert (started["completed"], started["error"], started["percents"]) == (False, "", 20)
    assert state == {
        "completed": True,
        "id": started["id"],
        "error": "",
        "status": "Send test message",
        "percents": 100,
    }
    (message,) = map(read, inbox.messages)
    assert inbox.recipients == ["<anna@example.org>"]
    assert (message["From"], message["To"]) == (SENDER, "anna@example.org")
    assert message["Auto-Submitted"] == "auto-generated"
    assert "revision 1" in inbox.messages[0].decode()


def test_the_last_result_stays_and_is_the_same_for_every_administrator(
    make: MakeService,
) -> None:
    service = make()
    other = service.open_key(service.open_user("b@example.org", Role.ADMINISTRATOR))
    with running_relay(Inbox()) as relay:
        save(service, relay.port)
        start(service)
        state = ended(service)
    assert [status(service, key=key) for key in (service.key, other, other)] == [state] * 3


def test_a_refused_login_is_explained_with_the_field_and_the_reply(make: MakeService) -> None:
    service = make()
    with running_relay(refuse_login) as relay:
        login = {"credentialsUserName": "u", "credentialsUserPassword": "CANARY-77"}
        save(service, relay.port, enableAuth=True, **login)
        start(service)
        state = ended(service)
    assert (state["percents"], state["status"]) == (60, "Authenticate")
    for words in ("localhost", "credentialsUserPassword", "535 5.7.8 Authentication failed"):
        assert words in state["error"]
    assert "CANARY" not in state["error"]


def test_a_refused_port_is_an_error_and_no_failure_of_the_request(make: MakeService) -> None:
    service = make()
    with running_relay(Inbox()) as gone:
        port = gone.port
    save(service, port)
    start(service)
    state = ended(service)
    assert (state["percents"], state["status"]) == (40, "Connect to host")
    assert "localhost" in state["error"]


def test_without_a_relay_in_force_the_answer_says_that_none_is_saved(make: MakeService) -> None:
    service = make()
    state = start(service)
    assert (state["completed"], state["percents"]) == (True, 5)
    assert state["error"].startswith("No mail server is saved.")
    assert status(service) == state


def test_while_a_test_runs_another_start_answers_the_running_one(make: MakeService) -> None:
    service, pausing = make(), Pausing()
    with running_relay(pausing) as relay:
        save(service, relay.port)
        first = start(service)
        assert pausing.reached.wait(_PATIENCE)
        second = start(service)
        assert (second["id"], second["completed"]) == (first["id"], False)
        pausing.let_go()
        assert ended(service)["percents"] == 100
    assert len(pausing.inbox.messages) == 1


def test_settings_saved_in_the_middle_end_the_test_and_the_next_uses_them(
    make: MakeService,
) -> None:
    service, pausing, inbox = make(), Pausing(), Inbox()
    with running_relay(pausing) as old, running_relay(inbox) as new:
        save(service, old.port)
        first = start(service)
        assert pausing.reached.wait(_PATIENCE)
        save(service, new.port)
        state = ended(service)
        assert state["id"] == first["id"]
        assert state["error"] == ("The settings were changed meanwhile. Start the test again.")
        pausing.let_go()
        start(service)
        assert ended(service)["percents"] == 100
    assert (len(pausing.inbox.messages), len(inbox.messages)) == (0, 1)


def test_head_starts_a_test_and_is_counted_and_guarded_as_get(make: MakeService) -> None:
    service = make(RATE_LIMITS="on")
    reader = service.open_key(service.admin, Permission.READ)
    assert service.ask("HEAD", TEST, key=reader).status == 403
    assert status(service) is None
    reply = service.ask("HEAD", TEST, key=service.key)
    assert (reply.status, reply.body) == (200, b"")
    assert status(service) is not None
    codes = [service.ask("HEAD", TEST, key=service.key).status for _ in range(5)]
    assert codes == [200] * 4 + [429]


def test_five_tests_in_a_quarter_of_an_hour_and_the_sixth_is_429(make: MakeService) -> None:
    service = make(RATE_LIMITS="on")
    other = service.open_key(service.open_user("b@example.org", Role.ADMINISTRATOR))
    for _ in range(5):
        start(service)
    refused = service.ask("GET", TEST, key=service.key)
    assert refused.status == 429
    assert "at most 5 in 15 minutes" in refused.json()["error"]["message"]
    assert 890 < int(refused.headers["Retry-After"]) <= 900
    assert "X-RateLimit-Limit" in refused.headers
    assert service.ask("GET", TEST, key=service.open_key()).status == 429
    assert service.ask("GET", STATUS, key=service.key).status == 200
    start(service, key=other)


def test_starting_needs_the_permission_to_write_and_watching_the_one_to_read(
    make: MakeService,
) -> None:
    service = make()
    asked = {
        (permission, path): service.ask(
            "GET", path, key=service.open_key(service.admin, permission)
        ).status
        for permission in Permission
        for path in (TEST, STATUS)
    }
    assert {what for what, code in asked.items() if code == 200} == {
        (Permission.WRITE, TEST),
        (Permission.READ, STATUS),
        (Permission.ALL, TEST),
        (Permission.ALL, STATUS),
    }
    assert set(asked.values()) == {200, 403}


@pytest.mark.parametrize("path", [TEST, STATUS])
def test_only_administrators_may_and_only_where_settings_are_allowed(
    make: MakeService, path: str
) -> None:
    service = make()
    user = service.open_key(service.open_user("u@example.org"), Permission.SEND)
    assert service.ask("GET", path).status == 401
    assert service.ask("GET", path, key=user).status == 403
    service.allow_settings(service.portal, allowed=False)
    assert service.ask("GET", path, key=service.key).status == 402


def test_a_page_of_another_site_starts_nothing_with_the_cookie(make: MakeService) -> None:
    service = make()
    cookie = {"Cookie": f"asc_auth_key={service.key}"}
    foreign = {**cookie, "Sec-Fetch-Site": "cross-site"}
    assert service.ask("GET", TEST, headers=foreign).status == 403
    assert status(service) is None
    assert service.ask("GET", TEST, headers=cookie).status == 200


DEFAULT = "smtp://op:CANARY-88@localhost:{port}?sender=noreply@example.net"


def test_of_the_operators_relay_a_portal_sees_nothing(make: MakeService) -> None:
    with running_relay(refuse_login) as relay:
        service = make(BASE_DOMAIN=BASE_DOMAIN, DEFAULT_RELAY_URL=DEFAULT.format(port=relay.port))
        start(service)
        state = ended(service)
    assert state["percents"] == 60
    assert state["error"].startswith("The installation's mail server")
    for hidden in ("localhost", str(relay.port), "127.0.0.1", "535", "5.7.8", "CANARY"):
        assert hidden not in state["error"]


def test_with_one_portal_the_operators_relay_is_named(make: MakeService) -> None:
    with running_relay(refuse_login) as relay:
        service = make(DEFAULT_RELAY_URL=DEFAULT.format(port=relay.port))
        start(service)
        assert "localhost" in ended(service)["error"]


def test_with_several_portals_private_addresses_are_the_operators_alone(
    make: MakeService,
) -> None:
    inbox = Inbox()
    with running_relay(inbox) as relay:
        url = f"smtp://localhost:{relay.port}?sender=noreply@example.net"
        service = make(BASE_DOMAIN=BASE_DOMAIN, DEFAULT_RELAY_URL=url, RELAY_NETWORKS="")
        start(service)
        assert ended(service)["percents"] == 100
        assert "the installation's mail server" in inbox.messages[0].decode().replace("=\r\n", "")
        save(service, relay.port)
        start(service)
        state = ended(service)
    assert state["percents"] == 40
    assert len(inbox.messages) == 1


def test_a_portals_test_is_not_shown_to_another(make: MakeService) -> None:
    service = make(BASE_DOMAIN=BASE_DOMAIN)
    other = service.open_portal("other")
    key = service.open_key(service.open_user("o@example.org", Role.ADMINISTRATOR, portal=other))
    start(service)
    assert status(service, key=key, portal=other) is None
