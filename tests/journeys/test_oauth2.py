"""OAuth2 from its set-up to delivered mail: the real program, a real provider and relay."""

import asyncio
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from smarthost.clock import MICROSECONDS, SystemClock
from tests.cli.program import Program
from tests.contract.service import SETTINGS
from tests.journeys.application import Application
from tests.journeys.bearer_world import OAUTH2, USER, BearerWorld, bearer_world
from tests.journeys.reconciled import rows
from tests.journeys.served import Served, serving, started
from tests.journeys.sink import until
from tests.oauth2_provider import answer, page

CHECK = f"{SETTINGS}/check"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[BearerWorld]:
    with bearer_world(tmp_path) as running:
        yield running


@pytest.fixture
def served(program: Program, key: str, world: BearerWorld) -> Iterator[Served]:
    with serving(program, **world.environ) as service:
        yield service


@pytest.fixture
def app(served: Served, key: str) -> Application:
    return Application(process=served.client(key))


class OtherClock(SystemClock):
    """The clock of another machine, so many seconds ahead of this one's."""

    def __init__(self, seconds: int) -> None:
        self._ahead = seconds * MICROSECONDS

    def now(self) -> int:
        return super().now() + self._ahead


def checked(app: Application) -> Any:
    reply = app.ask("POST", CHECK)
    assert reply.status == 200, reply.body
    return reply.json()["response"]


def last_test(app: Application) -> dict[str, Any]:
    state: dict[str, Any] = app.ask("GET", f"{SETTINGS}/test").json()["response"]

    def is_over() -> bool:
        nonlocal state
        state = app.ask("GET", f"{SETTINGS}/test/status").json()["response"]
        return bool(state["completed"])

    until(is_over)
    return state


def is_sent(app: Application, message_id: str) -> bool:
    return app.event(message_id) in ("sent", "delivered")


def state(app: Application) -> Any:
    return app.ask("GET", OAUTH2).json()["response"]


def test_each_flow_leads_to_a_check_a_test_message_and_mail(
    app: Application, world: BearerWorld, program: Program
) -> None:
    for number, grant in enumerate(
        ("client_credentials", "refresh_token", "service_account", "authorization_code"), 1
    ):
        world.sink.mechanisms = ("PLAIN XOAUTH2", "OAUTHBEARER LOGIN")[number % 2]
        world.bind(app, grant)
        if grant == "authorization_code":
            assert checked(app)["failure"]["code"] == "oauth2_consent_needed"
            assert "Somebody has to sign in" in last_test(app)["error"]
            status, words, _ = world.consents(app)
            assert status == 200, words
        found = checked(app)
        assert found["ok"], (grant, found["failure"])
        [login] = [one for one in found["steps"] if one["step"] == "authenticate"]
        assert login["seen"]["mechanism"] == ("XOAUTH2", "OAUTHBEARER")[number % 2]
        assert (last_test(app)["percents"], last_test(app)["error"]) == (100, "")
        until(partial(is_sent, app, app.send()))
        assert state(app)["state"] == app.health()["oauth2"]["state"] == "ready"
        assert state(app)["expiresAt"] > state(app)["fetchedAt"]
    assert len(rows(program.data_dir, "SELECT * FROM oauth2_tokens")) == 4
    assert not [line for line in world.sink.shown if line.startswith(("AUTH PLAIN", "AUTH LOGIN"))]


def test_a_consent_can_begin_at_the_command_line(
    app: Application, world: BearerWorld, program: Program
) -> None:
    world.bind(app, "authorization_code")
    host = f"http://localhost:{app.process.port}"

    begun = program("settings", "oauth2", "authorize", "--url", host, "--json")
    assert begun.code == 0, begun.err
    status, _, location = world.consents(app, begun.json()["url"])

    assert status == 200
    assert location.startswith(f"{host}{OAUTH2}/callback?")
    assert checked(app)["ok"]
    odd = program("settings", "oauth2", "authorize", "--url", "ftp://x/y")
    odd.assert_one_line(2, "--url")
    program("settings", "oauth2", "remove")
    program("settings", "oauth2", "authorize").assert_one_line(1, "Nobody has to consent")


def test_tokens_that_end_while_the_queue_is_worked_off_are_renewed(
    app: Application, world: BearerWorld, program: Program
) -> None:
    world.provider.expires_in, world.provider.grace, world.provider.rotates = 0.2, 60, True
    world.sink.ends_after = 5
    world.bind(app, "refresh_token")

    ids = app.send_many(50)
    until(lambda: len(world.sink.taken) > 15)
    # Before its time is over, too, as where somebody changes the mailbox's password.
    world.provider.revoke_access()
    until(lambda: all(is_sent(app, one) for one in ids))

    assert len(world.sink.taken) == 50
    assert len({taken.token for taken in world.sink.taken}) > 1
    attempts = rows(program.data_dir, "SELECT result, count(*) FROM attempts GROUP BY result")
    assert attempts == [("accepted", 50)]
    assert world.provider.refused == []
    assert len(world.provider.refresh_tokens) == 1


def test_a_consent_that_is_taken_back_holds_the_mail_and_a_new_one_releases_it(
    app: Application, world: BearerWorld
) -> None:
    world.sink.ends_after = 1
    world.bind(app, "authorization_code")
    assert world.consents(app)[0] == 200
    first = app.send()
    until(lambda: is_sent(app, first))

    world.provider.refresh_tokens.clear()
    world.provider.revoke_access()
    waiting = app.send_many(3)
    until(lambda: app.health()["state"] == "held")

    health = app.health()
    [tried] = [attempt for one in waiting for attempt in app.attempts(one)]
    failures = [health["failure"], health["oauth2"]["failure"], checked(app)["failure"]]
    for failure in [*failures, tried["failure"], state(app)["failure"]]:
        assert failure["code"] == "oauth2_consent_needed"
        assert failure["title"] == "Somebody has to sign in again"
        assert failure["reply"] == "invalid_grant: Token has been expired or revoked."
    assert state(app)["state"] == health["oauth2"]["state"] == "consent needed"
    assert len(world.sink.taken) == 1

    world.provider.says_no = True
    assert world.consents(app)[0] == 400
    assert len(world.sink.taken) == 1
    world.provider.says_no = False
    assert world.consents(app)[0] == 200
    assert until(lambda: all(is_sent(app, one) for one in waiting)) < 5
    assert app.health()["state"] == "ok"
    assert state(app)["state"] == "ready"


def test_a_token_that_the_relay_does_not_take_is_told_as_one_of_oauth2(
    app: Application, world: BearerWorld
) -> None:
    world.bind(app, "client_credentials")
    world.sink.refuses = True

    found = checked(app)["failure"]

    assert found["code"] == "login_refused"
    assert "does not accept the token of the OAuth2 sign-in" in found["title"]
    assert "status 401, scope mail" in found["reply"]
    assert "[hidden]" in found["reply"]
    assert len(world.sink.shown) == 2


def test_an_end_point_that_is_none_is_told_and_goes_nowhere_else(
    app: Application, world: BearerWorld
) -> None:
    elsewhere = f"Location: https://127.0.0.1:{world.other.port}/token"
    answers = {
        page(200, b"<html>Maintenance</html>"): "It answered with an answer that is no token.",
        page(503, b"<html>Later</html>"): "It answered with status 503.",
        page(200, b"x" * 10_000_000): "Its answer is too long.",
        page(307, b"", "text/html", elsewhere): "It points elsewhere.",
        answer(400, {"error": "invalid_client", "error_description": "x" * 90}): None,
    }
    world.bind(app, "client_credentials")
    for instead, said in answers.items():
        world.provider.instead = instead
        failure = checked(app)["failure"]
        if said is None:
            assert failure["code"] == "oauth2_refused"
            assert failure["reply"] == "invalid_client: [hidden]"
        else:
            assert (failure["code"], failure["reply"]) == ("oauth2_unavailable", said)
            assert state(app)["state"] == "failed"
    world.provider.instead = None
    assert checked(app)["ok"]
    assert world.other.connections == 0


def test_an_end_point_that_says_nothing_is_given_up_in_time(
    app: Application, world: BearerWorld
) -> None:
    async def say_nothing(_writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    world.provider.instead = say_nothing
    world.bind(app, "client_credentials")
    began = time.monotonic()
    failure = checked(app)["failure"]
    seconds = time.monotonic() - began

    assert (failure["code"], failure["permanent"]) == ("oauth2_unavailable", False)
    assert failure["reply"] == "It did not answer in time."
    assert 9 < seconds < 15


def test_clocks_that_differ_a_little_do_not_matter_and_more_is_told(
    app: Application, world: BearerWorld
) -> None:
    for seconds, code in ((-45, None), (900, None), (-600, "oauth2_refused")):
        world.provider.clock = OtherClock(seconds)
        world.bind(app, "service_account")
        assert checked(app).get("failure", {}).get("code") == code, seconds
    assert state(app)["failure"]["reply"] == "invalid_grant: Token must be a short-lived token."


def test_a_kill_behind_a_new_refresh_token_loses_nothing(
    program: Program, key: str, world: BearerWorld
) -> None:
    world.provider.rotates = True
    world.sink.stops_at_login = threading.Event()
    with started(program, **world.environ) as service:
        app = Application(process=service.client(key))
        world.bind(app, "refresh_token")
        message_id = app.send()
        assert world.sink.stops_at_login.wait(30)
        assert len(world.provider.void_refresh_tokens) == 1
        service.kill()
    world.sink.stops_at_login = None
    with serving(program, **world.environ) as service:
        app = Application(process=service.client(key))
        until(lambda: is_sent(app, message_id))
    assert len(world.sink.taken) == 1
    assert world.provider.refused == []
    assert len(world.provider.void_refresh_tokens) == 2


def test_a_service_and_checks_beside_it_lose_no_consent(
    app: Application, world: BearerWorld, program: Program
) -> None:
    world.provider.expires_in, world.provider.grace, world.provider.rotates = 0.2, 60, True
    world.sink.ends_after = 1
    world.bind(app, "refresh_token")
    checks = [
        subprocess.Popen(
            program.command("settings", "check", "--json"),
            env=program.environment(world.environ),
            cwd=program.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    ids = app.send_many(20)
    for check in checks:
        out, err = check.communicate(timeout=60)
        assert check.returncode == 0, err
        assert json.loads(out)["ok"]
    until(lambda: all(is_sent(app, one) for one in ids))
    assert world.provider.refused == []
    assert len(world.provider.refresh_tokens) == 1
    assert state(app)["state"] == "ready"


def test_settings_that_are_saved_while_mail_goes_out_lose_no_consent(
    app: Application, world: BearerWorld
) -> None:
    world.provider.expires_in, world.provider.grace, world.provider.rotates = 0.2, 60, True
    world.sink.ends_after = 1
    world.bind(app, "refresh_token")
    login = {"enableSSL": True, "enableAuth": True, "credentialsUserName": USER}
    ids = []
    for number in range(20):
        ids.append(app.send())
        app.save(world.sink.port, USER, senderDisplayName=f"{number}", **login)
    until(lambda: all(is_sent(app, one) for one in ids))
    assert world.provider.refused == []
    assert state(app)["state"] == "ready"


def test_a_back_up_has_the_sign_in_and_so_has_a_ring_of_a_new_key(
    program: Program, key: str, world: BearerWorld
) -> None:
    with serving(program, **world.environ) as service:
        app = Application(process=service.client(key))
        world.bind(app, "authorization_code")
        assert world.consents(app)[0] == 200
        url = app.ask("GET", f"{OAUTH2}/authorize").json()["response"]["url"]
        for command in (("keyring", "rotate"), ("database", "backup", "copy.db")):
            made = program(*command)
            assert made.code == 0, made.err
        assert world.consents(app, url)[0] == 200, "one that was under way when the key changed"
    elsewhere = Program(folder=program.folder / "elsewhere")
    elsewhere.folder.mkdir()
    restored = elsewhere("database", "restore", str(program.folder / "copy.db"))
    assert restored.code == 0, restored.err
    ring = elsewhere.data_dir / "keyring.json"
    ring.write_bytes((program.data_dir / "keyring.json").read_bytes())
    ring.chmod(0o600)
    with serving(elsewhere, **world.environ) as service:
        app = Application(process=service.client(key))
        message_id = app.send()
        until(lambda: is_sent(app, message_id))
        assert state(app)["state"] == "ready"
    assert world.provider.refused == []
