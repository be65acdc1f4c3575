"""Settings checked before they are saved, as a client asks for it."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from smarthost.portals.model import Permission, Role
from tests.contract.events import steps, streaming
from tests.contract.relays import Silent, refuse_login, running_relay
from tests.contract.service import (
    ADMIN_EMAIL,
    BASE_DOMAIN,
    SETTINGS,
    MakeService,
    Reply,
    Service,
    running_service,
)
from tests.smtp.relays import Peer

CHECK = f"{SETTINGS}/check"
EVENTS = f"{CHECK}/events"
SENDER = "notify@example.com"
CANARY = "CANARY-91"
_PATIENCE = 30.0


class Asked:
    """A relay's script that takes the recipient, and notes who it was."""

    def __init__(self) -> None:
        self.recipients: list[str] = []

    async def __call__(self, peer: Peer) -> None:
        await peer.greet("SIZE 1000000")
        await peer.hear("MAIL FROM:")
        await peer.say("250 2.1.0 Ok")
        self.recipients.append(await peer.hear("RCPT TO:"))
        await peer.say("250 2.1.5 Ok")
        await peer.forget()


def typed(port: int, **changes: object) -> dict[str, object]:
    return {"host": "localhost", "port": port, "senderAddress": SENDER, **changes}


def login(port: int, **changes: object) -> dict[str, object]:
    as_whom = {"credentialsUserName": SENDER, "credentialsUserPassword": CANARY}
    return typed(port, enableAuth=True, **(as_whom | changes))


def ask(service: Service, body: object = None, path: str = CHECK, **asking: Any) -> Reply:
    return service.ask("POST", path, body, **{"key": service.key, **asking})


def checked(reply: Reply) -> Any:
    assert reply.status == 200, reply.body
    return reply.json()["response"]


def save(service: Service, body: object) -> None:
    assert service.ask("POST", SETTINGS, body, key=service.key).status == 200


def current(service: Service) -> Any:
    return service.ask("GET", SETTINGS, key=service.key)


def test_what_is_typed_is_tried_up_to_the_recipient_and_not_saved(make: MakeService) -> None:
    service, asked = make(), Asked()
    with running_relay(asked) as relay:
        found = checked(ask(service, typed(relay.port)))
    assert found["ok"] is True
    assert [one["step"] for one in found["steps"]][-2:] == ["sender", "recipient"]
    assert {"failure", "revision"} & found.keys() == set()
    assert found["saved"] is False
    assert asked.recipients == [f"<{ADMIN_EMAIL}>"]
    assert current(service).json()["response"]["isDefaultSettings"] is True


def test_without_a_body_the_stored_settings_are_checked(make: MakeService) -> None:
    service, asked = make(), Asked()
    with running_relay(asked) as relay:
        save(service, typed(relay.port))
        plain = checked(ask(service))
        named = checked(ask(service, b"", headers={"Content-Type": "application/json"}))
    assert (plain["ok"], plain["saved"], plain["revision"]) == (True, False, 1)
    assert named["revision"] == 1
    assert len(asked.recipients) == 2


def test_what_was_proven_is_saved_when_that_is_asked_for(make: MakeService) -> None:
    service = make()
    with running_relay(Asked()) as relay:
        found = checked(ask(service, typed(relay.port), f"{CHECK}?activate=when_proven"))
        assert (found["ok"], found["saved"], found["revision"]) == (True, True, 1)
        assert current(service).json()["response"]["port"] == relay.port


def test_what_failed_is_not_saved_and_says_which_field(make: MakeService) -> None:
    service = make()
    with running_relay(refuse_login) as relay:
        reply = ask(service, login(relay.port), f"{CHECK}?activate=when_proven")
    found = checked(reply)
    assert (found["ok"], found["saved"]) == (False, False)
    assert found["failure"]["code"] == "login_refused"
    assert "credentialsUserPassword" in found["failure"]["fields"]
    assert "not_encrypted" in [one["code"] for one in found["warnings"]]
    assert CANARY not in reply.body.decode()
    assert current(service).json()["response"]["isDefaultSettings"] is True


def test_the_stored_password_is_used_for_its_own_destination_alone(make: MakeService) -> None:
    service = make()
    with running_relay(refuse_login) as relay:
        save(service, login(relay.port))
        kept = login(relay.port, credentialsUserPassword="")
        assert checked(ask(service, kept))["failure"]["code"] == "login_refused"
        moved = ask(service, kept | {"host": "127.0.0.1"})
    assert moved.status == 400
    assert set(moved.json()["response"]["errors"]) == {"credentialsUserPassword"}


WRONG: dict[str, Any] = {
    "nothing": {},
    "several": {"host": "", "port": 0, "senderAddress": "x", "enableSSL": "yes", "prot": 1},
    "no JSON": b"port=25",
    "no object": b"null",
    "blank": b"  ",
}


@pytest.mark.parametrize("path", [CHECK, EVENTS])
@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
def test_it_is_refused_as_a_save_is(service: Service, path: str, body: Any) -> None:
    headers = {"Content-Type": "application/json"} if isinstance(body, bytes) else {}
    refused = ask(service, body, path, headers=headers)
    assert refused.status == 400
    assert refused.json() == ask(service, body, SETTINGS, headers=headers).json()


@pytest.mark.parametrize("path", [CHECK, EVENTS])
def test_another_value_of_activate_is_named_with_all_the_rest(service: Service, path: str) -> None:
    refused = ask(service, {"host": "", "senderAddress": SENDER}, f"{path}?activate=now")
    assert refused.status == 400
    assert set(refused.json()["response"]["errors"]) == {"host", "activate"}
    for query in ("activate=now", "activate="):
        assert set(ask(service, None, f"{path}?{query}").json()["response"]["errors"]) == {
            "activate"
        }


@pytest.mark.parametrize("path", [CHECK, EVENTS])
def test_refusals_come_in_the_order_of_the_contract(service: Service, path: str) -> None:
    xml = {"Content-Type": "application/xml"}
    reader = service.open_key(None, Permission.READ)
    user = service.open_key(service.open_user(f"u{len(path)}@example.com", Role.USER))
    assert service.ask("GET", path, key=service.key).status == 405
    assert service.ask("POST", path, b"{", headers=xml).status == 401
    for key in (reader, user):
        assert service.ask("POST", path, b"{", headers=xml, key=key).status == 403
    assert ask(service, b"{", path, headers=xml).status == 415
    assert ask(service, b"{", path, headers={"Content-Type": "text/json"}).status == 400
    service.allow_settings(service.portal, allowed=False)
    try:
        assert ask(service, b"{", path, headers=xml).status == 402
    finally:
        service.allow_settings(service.portal, allowed=True)


@pytest.mark.parametrize("path", [CHECK, EVENTS])
def test_a_page_of_another_site_checks_nothing_with_the_cookie(
    service: Service, path: str
) -> None:
    cookie = {"Cookie": f"asc_auth_key={service.key}", "Sec-Fetch-Site": "cross-site"}
    assert service.ask("POST", path, headers=cookie).status == 403


@pytest.mark.parametrize(
    ("path", "accept", "status"),
    [
        (EVENTS, "text/event-stream", 400),
        (EVENTS, "text/*;q=0.1", 400),
        (EVENTS, "*/*", 400),
        (EVENTS, "", 400),
        (EVENTS, "application/json", 406),
        (EVENTS, "text/event-stream;q=0", 406),
        (CHECK, "text/event-stream", 406),
    ],
)
def test_events_are_sent_to_those_who_take_them(
    service: Service, path: str, accept: str, status: int
) -> None:
    refused = ask(service, {}, path, headers={"Accept": accept})
    assert (refused.status, refused.headers["Content-Type"]) == (status, "application/json")


@pytest.mark.parametrize("path", [CHECK, EVENTS])
def test_other_settings_than_those_seen_are_412_before_anything_connects(
    make: MakeService, path: str
) -> None:
    service, asked = make(), Asked()
    with running_relay(asked) as relay:
        save(service, typed(relay.port))
        for body in (None, typed(relay.port)):
            refused = ask(service, body, path, headers={"If-Match": '"7"'})
            assert refused.status == 412
        assert checked(ask(service, headers={"If-Match": '"1"'}))["ok"]
    assert len(asked.recipients) == 1


@pytest.mark.parametrize("path", [CHECK, EVENTS])
def test_where_no_relay_is_in_force_there_is_nothing_to_check(service: Service, path: str) -> None:
    refused = ask(service, None, path)
    assert refused.status == 409
    assert "nothing to check" in refused.json()["error"]["message"]


def test_the_default_relay_is_checked_where_the_portal_may_see_it(make: MakeService) -> None:
    with running_relay(Asked()) as relay:
        url = f"smtp://localhost:{relay.port}?sender=noreply@example.net"
        service = make(DEFAULT_RELAY_URL=url)
        assert checked(ask(service))["ok"]


def test_where_the_default_relay_is_hidden_it_is_not(make: MakeService) -> None:
    url = "smtp://relay.invalid:25?sender=noreply@example.net"
    service = make(DEFAULT_RELAY_URL=url, BASE_DOMAIN=BASE_DOMAIN)
    refused = ask(service)
    assert refused.status == 409
    assert "relay.invalid" not in refused.body.decode()


# --- live


def test_each_step_is_told_as_it_begins_and_ends_and_then_the_result(make: MakeService) -> None:
    service = make()
    with running_relay(Asked()) as relay:
        with streaming(service, "POST", EVENTS, typed(relay.port)) as stream:
            told = list(stream)
        again = checked(ask(service, typed(relay.port)))
    assert stream.status == 200
    assert stream.headers["Content-Type"] == "text/event-stream"
    assert stream.headers["Cache-Control"] == "no-store"
    assert stream.headers["X-Accel-Buffering"] == "no"
    assert "X-RateLimit-Remaining" in stream.headers
    assert "Content-Length" not in stream.headers
    assert steps(told)[:4] == ["resolve begin", "resolve ok", "connect begin", "connect ok"]
    assert steps(told)[-2:] == ["recipient begin", "recipient ok"]
    (result,) = (one.value for one in told if one.name == "result")
    assert told[-1].name == "result"
    assert [one["step"] for one in result["steps"]] == [one["step"] for one in again["steps"]]
    assert result.keys() == again.keys()


def test_steps_are_told_while_the_check_runs(make: MakeService) -> None:
    service, silent = make(), Silent()
    with (
        running_relay(silent) as relay,
        streaming(service, "POST", EVENTS, typed(relay.port)) as stream,
    ):
        first = [stream.next() for _ in range(5)]
        assert silent.reached.wait(_PATIENCE)
        assert not silent.left.is_set()
    assert steps(first)[-1] == "greeting begin"


def test_a_check_ends_with_its_listener_and_another_may_begin(make: MakeService) -> None:
    service, silent = make(RATE_LIMITS="on"), Silent()
    with running_relay(silent) as relay:
        with streaming(service, "POST", EVENTS, typed(relay.port)) as stream:
            for _ in range(5):
                stream.next()
            second = ask(service, typed(relay.port))
            assert (second.status, second.headers["Retry-After"]) == (429, "5")
            assert "Another check" in second.json()["error"]["message"]
        assert silent.left.wait(_PATIENCE)
    with running_relay(Asked()) as relay:
        assert checked(ask(service, typed(relay.port)))["ok"]


def test_a_stop_of_the_service_ends_the_stream_with_a_word(tmp_path: Path) -> None:
    silent = Silent()
    with running_relay(silent) as relay, ExitStack() as stack:
        service = stack.enter_context(running_service(tmp_path))
        with streaming(service, "POST", EVENTS, typed(relay.port)) as stream:
            for _ in range(5):
                stream.next()
            stack.close()
            (last,) = list(stream)
        assert silent.left.wait(_PATIENCE)
    assert last.name == "error"
    assert last.value["statusCode"] == 503
    assert "stopping" in last.value["error"]["message"]


class Meanwhile(Asked):
    """A relay's script during whose RCPT somebody else saves other settings."""

    def __init__(self) -> None:
        super().__init__()
        self.act: Callable[[], None] = lambda: None

    async def __call__(self, peer: Peer) -> None:
        self.act()
        await super().__call__(peer)


def test_settings_saved_meanwhile_are_an_error_behind_the_steps(make: MakeService) -> None:
    service, meanwhile = make(), Meanwhile()
    with running_relay(meanwhile) as relay:
        save(service, typed(relay.port))
        meanwhile.act = lambda: save(service, typed(relay.port, senderDisplayName="Other"))
        path = f"{EVENTS}?activate=when_proven"
        body = typed(relay.port, senderDisplayName="Mine")
        with streaming(service, "POST", path, body, If_Match='"1"') as stream:
            told = list(stream)
    assert stream.status == 200
    assert steps(told)[-1] == "recipient ok"
    assert told[-1].name == "error"
    assert told[-1].value["statusCode"] == 412
    assert current(service).json()["response"]["senderDisplayName"] == "Other"


def test_twenty_checks_in_a_quarter_of_an_hour_and_mistakes_do_not_count(
    make: MakeService,
) -> None:
    service = make(RATE_LIMITS="on")
    other = service.open_key(service.open_user("b@example.org", Role.ADMINISTRATOR))
    with running_relay(Asked()) as gone:
        port = gone.port
    for _ in range(20):
        assert ask(service, {}).status == 400
        assert checked(ask(service, typed(port)))["failure"]["code"] == "connection_refused"
    for path in (CHECK, EVENTS):
        refused = ask(service, typed(port), path)
        assert refused.status == 429
        assert "at most 20 in 15 minutes" in refused.json()["error"]["message"]
        assert 1 <= int(refused.headers["Retry-After"]) <= 900
    assert ask(service, typed(port), key=other).status == 200


def test_a_stream_is_counted_at_its_end_with_its_status(make: MakeService) -> None:
    service, silent = make(), Silent()

    def counted() -> list[str]:
        text = service.ask("GET", "/metrics").body.decode()
        return [line for line in text.splitlines() if EVENTS in line and "requests_total" in line]

    with running_relay(silent) as relay:
        with streaming(service, "POST", EVENTS, typed(relay.port)) as stream:
            stream.next()
            assert counted() == []
        assert silent.left.wait(_PATIENCE)
        (line,) = wait_for(counted)
    assert 'method="POST"' in line
    assert 'status="200"' in line
    assert line.endswith(" 1.0")


def wait_for(look: Callable[[], list[str]]) -> list[str]:
    waiting = threading.Event()
    for _ in range(300):
        if found := look():
            return found
        waiting.wait(0.02)
    raise AssertionError("it never came")
