"""The test message followed as events: from the queue's row, whoever started it."""

import re

from smarthost.portals.model import Permission, Role
from tests.contract.events import Told, steps, streaming
from tests.contract.relays import Inbox, Pausing, refuse_login, running_relay
from tests.contract.service import BASE_DOMAIN, SETTINGS, MakeService, Service

TEST = f"{SETTINGS}/test"
EVENTS = f"{TEST}/events"
STATUS = f"{TEST}/status"
_PATIENCE = 30.0


def save(service: Service, port: int, **fields: object) -> None:
    body = {"host": "localhost", "port": port, "senderAddress": "notify@example.com", **fields}
    assert service.ask("POST", SETTINGS, body, key=service.key).status == 200


def start(service: Service) -> None:
    assert service.ask("GET", TEST, key=service.key).status == 200


def followed(service: Service) -> list[Told]:
    with streaming(service, "GET", EVENTS) as stream:
        assert stream.status == 200
        return list(stream)


def ended(told: list[Told]) -> list[str]:
    """The steps that have ended."""
    return [step for step in steps(told) if not step.endswith(" begin")]


def test_a_test_is_followed_while_it_runs(make: MakeService) -> None:
    service, pausing = make(), Pausing()
    with running_relay(pausing) as relay:
        save(service, relay.port)
        start(service)
        assert pausing.reached.wait(_PATIENCE)
        with streaming(service, "GET", EVENTS) as stream:
            first = [stream.next()]
            while steps(first)[-1] != "greeting begin":
                first.append(stream.next())
            pausing.let_go()
            told = [*first, *stream]
    assert ended(first) == ["resolve ok", "connect ok"]
    assert ended(told) == [
        f"{step} ok"
        for step in ("resolve", "connect", "greeting", "ehlo", "sender", "recipient", "data")
    ]
    assert (told[-1].name, told[-1].value["percents"]) == ("result", 100)
    assert "failure" not in told[-1].value


def test_following_an_ended_test_tells_all_at_once_and_starts_none(make: MakeService) -> None:
    service, inbox = make(), Inbox()
    with running_relay(inbox) as relay:
        save(service, relay.port)
        start(service)
        first = followed(service)
        again = [followed(service) for _ in range(3)]
    assert again == [again[0]] * 3
    assert again[0][-1] == first[-1]
    assert len(inbox.messages) == 1


def test_a_failed_test_ends_in_its_step_with_the_failure(make: MakeService) -> None:
    service = make()
    with running_relay(refuse_login) as relay:
        login = {"credentialsUserName": "u", "credentialsUserPassword": "CANARY-78"}
        save(service, relay.port, enableAuth=True, **login)
        start(service)
        told = followed(service)
    assert ended(told)[-2:] == ["ehlo ok", "authenticate failed"]
    result = told[-1].value
    status = service.ask("GET", STATUS, key=service.key).json()["response"]
    assert {name: result[name] for name in status} == status
    assert result["failure"]["code"] == "login_refused"
    assert result["failure"]["title"] in result["error"]
    assert "CANARY" not in str(told)


def test_of_no_test_at_all_the_result_is_null(make: MakeService) -> None:
    assert followed(make()) == [Told("result", None)]


def test_without_a_relay_the_first_step_has_failed(make: MakeService) -> None:
    service = make()
    start(service)
    told = followed(service)
    assert steps(told) == ["resolve failed"]
    assert told[-1].value["failure"]["code"] == "no_relay"


def test_of_the_operators_relay_a_portal_sees_nothing(make: MakeService) -> None:
    with running_relay(refuse_login) as relay:
        url = f"smtp://op:CANARY-89@localhost:{relay.port}?sender=noreply@example.net"
        service = make(BASE_DOMAIN=BASE_DOMAIN, DEFAULT_RELAY_URL=url)
        start(service)
        told = followed(service)
    assert told[-1].value["failure"]["title"].startswith("The installation's mail server")
    # Whole words: the digits of a port or a reply can stand in a message's random identifier too.
    told_words = set(re.findall(r"[\w.]+", str(told)))
    assert told_words.isdisjoint({"localhost", str(relay.port), "127.0.0.1", "535", "5.7.8"})
    assert "CANARY" not in str(told)


def test_head_has_the_headers_alone(service: Service) -> None:
    head = service.ask("HEAD", EVENTS, key=service.key)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Type"] == "text/event-stream"
    assert "Content-Length" not in head.headers
    assert service.ask("GET", STATUS, key=service.key).json()["count"] == 0


def test_whoever_may_read_the_settings_may_follow(service: Service) -> None:
    reader = service.open_key(None, Permission.READ)
    writer = service.open_key(None, Permission.WRITE)
    user = service.open_key(service.open_user("u@example.org", Role.USER))
    assert service.ask("GET", EVENTS, key=reader).status == 200
    for key in (writer, user):
        assert service.ask("GET", EVENTS, key=key).status == 403
    assert service.ask("GET", EVENTS).status == 401
    refused = service.ask("GET", EVENTS, key=reader, headers={"Accept": "application/json"})
    assert refused.status == 406
    assert refused.json()["error"]["type"] == "notAcceptable"


def test_a_portals_test_is_not_shown_to_another(make: MakeService) -> None:
    service = make(BASE_DOMAIN=BASE_DOMAIN)
    other = service.open_portal("other")
    admin = service.open_user("o@example.org", Role.ADMINISTRATOR, portal=other)
    start(service)
    told = service.ask("GET", EVENTS, key=service.open_key(admin), portal=other)
    assert told.body == b"event: result\ndata: null\n\n"
    assert service.ask("GET", EVENTS, key=service.key, portal=other).status == 401
