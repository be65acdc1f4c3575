"""What OAuth2 is proved with goes where it was typed for, and is nowhere in clear."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import apsw
import pytest

from tests.cli.program import Program
from tests.contract.service import SETTINGS
from tests.journeys.application import Application, login
from tests.journeys.bearer_world import OAUTH2, USER, BearerWorld, bearer_world
from tests.journeys.canaries import found_in
from tests.journeys.served import Served, serving
from tests.journeys.sink import until
from tests.oauth2_provider import CLIENT_SECRET, answer

CHECK = f"{SETTINGS}/check"
GRANTS = ("client_credentials", "refresh_token", "service_account", "authorization_code")
_ALWAYS = ("client_secret", "refresh_token", "assertion", "code", "code_verifier")


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


def _is_sent(app: Application, message_id: str) -> bool:
    return app.event(message_id) in ("sent", "delivered")


class Answers:
    """An application that keeps all that it is answered."""

    def __init__(self, app: Application) -> None:
        self.app = app
        self.texts: list[str] = []

    def ask(self, method: str, path: str, body: object = None) -> Any:
        reply = self.app.ask(method, path, body)
        self.texts.append(f"{reply.headers}{reply.body.decode()}")
        return reply

    def ask_all(self) -> None:
        for path in (OAUTH2, SETTINGS, f"{SETTINGS}/health", f"{SETTINGS}/history", "/metrics"):
            self.ask("GET", path)


def secrets_of(world: BearerWorld, private_key: str) -> list[str]:
    """All that was ever shown to the provider, and all that it gave out."""
    provider = world.provider
    shown = [form[name] for form in provider.received for name in _ALWAYS if name in form]
    given = [*provider.access_tokens, *provider.refresh_tokens, *provider.void_refresh_tokens]
    return [*dict.fromkeys(shown), *given, *private_key.splitlines()[1:-1]]


def test_no_secret_of_a_sign_in_is_in_a_log_an_answer_or_a_file(
    program: Program, key: str, world: BearerWorld
) -> None:
    world.provider.rotates = True
    with serving(program, **world.environ) as service:
        asking = Answers(Application(process=service.client(key)))
        private_key, locations = "", []
        for grant in GRANTS:
            asking.app.save(world.sink.port, USER, enableSSL=True)
            body = world.binding(grant)
            private_key = body.get("serviceAccount", {}).get("private_key", private_key)
            assert asking.ask("PUT", OAUTH2, body).status == 200
            if grant == "authorization_code":
                status, words, location = world.consents(asking.app)
                assert status == 200
                asking.texts.append(words)
                locations.append(location)
            assert asking.ask("POST", CHECK).json()["response"]["ok"]
            message_id = asking.app.send()
            until(partial(_is_sent, asking.app, message_id))
            world.sink.refuses = True
            assert not asking.ask("POST", CHECK).json()["response"]["ok"]
            world.sink.refuses = False
            asking.ask("GET", f"/emails/{message_id}/attempts")
            asking.ask_all()
        _go_wrong(asking, world, locations)
        asking.ask_all()
        asking.texts.append(program("audit", "export").out)
        asking.texts.append(program("settings", "oauth2", "show").out)

        known = [*secrets_of(world, private_key), *_brought(locations)]
        assert len(known) > 30
        assert not found_in("\n".join(asking.texts).encode(), known)
        assert not found_in(_files(program), known)
        service.stop()
    assert not found_in("\n".join(service.log + service.printed).encode(), known)
    assert not found_in(_files(program), known)
    # It has looked where there was something to see.
    assert service.events("request", path=f"{OAUTH2}/callback")
    assert CLIENT_SECRET in known
    assert b"oauth2_consented" in _files(program)


def _go_wrong(asking: Answers, world: BearerWorld, locations: list[str]) -> None:
    """Have the provider repeat what it was shown, and bring back a code that is used."""
    status, words, _ = _again(asking, locations[0])
    assert status == 400
    asking.texts.append(words)
    shown = world.provider.received[-1]
    said = {"error": "invalid_client", "error_description": " ".join(shown.values())}
    world.provider.instead = answer(400, said)
    world.bind(asking.app, "client_credentials")
    assert not asking.ask("POST", CHECK).json()["response"]["ok"]
    asking.ask_all()
    world.bind(asking.app, "authorization_code")
    status, words, location = world.consents(asking.app)
    assert status == 400
    locations.append(location)
    asking.texts.append(words)
    world.provider.instead = None


def _again(asking: Answers, location: str) -> tuple[int, str, str]:
    parts = urlsplit(location)
    reply = asking.app.ask("GET", f"{parts.path}?{parts.query}")
    return reply.status, reply.body.decode(), location


def _brought(locations: Sequence[str]) -> list[str]:
    queries = [parse_qs(urlsplit(location).query) for location in locations]
    return [query[name][0] for query in queries for name in ("code", "state")]


def _files(program: Program) -> bytes:
    files = [path for path in program.data_dir.rglob("*") if path.is_file()]
    return b"\n".join(path.read_bytes() for path in files)


def code_of(app: Application, body: object = None) -> str:
    reply = app.ask("POST", CHECK, body)
    assert reply.status == 200, reply.body
    return str(reply.json()["response"]["failure"]["code"])


def test_a_change_of_the_relay_takes_no_token_along(app: Application, world: BearerWorld) -> None:
    world.bind(app, "refresh_token")
    assert app.ask("POST", CHECK).json()["response"]["ok"]
    asked = len(world.provider.received)
    elsewhere = {"host": "localhost", "port": world.other.port, "senderAddress": USER}
    same_login = {"enableSSL": True, "enableAuth": True, "credentialsUserName": USER}

    for path in (CHECK, SETTINGS):
        assert app.ask("POST", path, elsewhere | same_login).status == 400
    typed = elsewhere | same_login | login(USER, "a password of mine")
    assert code_of(app, typed) == "login_not_offered"
    saved = app.ask("POST", SETTINGS, typed)
    assert saved.headers["X-Smarthost-Notice"] == "The OAuth2 sign-in has ended."
    assert code_of(app) == "login_not_offered"
    without = world.binding("refresh_token") | {"clientSecret": "", "refreshToken": ""}
    refused = app.ask("PUT", OAUTH2, without)

    assert refused.status == 400
    assert "refreshToken" in refused.json()["response"]["errors"]
    assert world.other.connections == 2
    assert world.other.shown == []
    assert len(world.provider.received) == asked


def test_what_was_changed_in_the_database_takes_no_token_along(
    app: Application, world: BearerWorld, program: Program
) -> None:
    world.provider.rotates = True
    world.bind(app, "refresh_token")
    assert app.ask("POST", CHECK).json()["response"]["ok"]
    world.bind(app, "authorization_code")
    assert world.consents(app)[0] == 200
    assert app.ask("POST", CHECK).json()["response"]["ok"]
    asked, shown = len(world.provider.received), len(world.sink.shown)
    elsewhere = f"https://localhost:{world.other.port}/token"
    of_the_first = "SELECT {} FROM {} WHERE {} IS NOT NULL ORDER BY revision LIMIT 1"
    revisions, tokens = "smtp_settings_revisions", "oauth2_tokens"
    first_blob = of_the_first.format("sealed_password", revisions, "oauth2")
    first_token = of_the_first.format("sealed_refresh_token", tokens, "sealed_refresh_token")
    changes = [
        (revisions, "port", str(world.other.port)),
        (revisions, "host", "'127.0.0.1'"),
        (revisions, "user_name", "'somebody@example.com'"),
        (revisions, "oauth2", f"json_set(oauth2, '$.token_url', '{elsewhere}')"),
        (revisions, "oauth2", "json_set(oauth2, '$.scope', 'all')"),
        (revisions, "oauth2", "json_set(oauth2, '$.client_id', 'another')"),
        (revisions, "sealed_password", f"({first_blob})"),
        (revisions, "sealed_password", f"({first_token})"),
        (tokens, "sealed_refresh_token", f"({first_token})"),
        (tokens, "sealed_refresh_token", f"({first_blob})"),
        (tokens, "sealed_refresh_token", "substr(sealed_refresh_token, 1, 30)"),
    ]
    with contextlib.closing(apsw.Connection(str(program.data_dir / "smarthost.db"))) as store:
        store.set_busy_timeout(30_000)
        store.execute("DROP TRIGGER smtp_settings_revisions_are_immutable")
        for table, column, value in changes:
            with _changed(store, table, column, value):
                assert code_of(app) == "password_unreadable", (column, value)
        with _changed(store, revisions, "port", str(world.other.port)):
            held = app.send()
            until(lambda: app.health()["state"] == "held")
            assert app.health()["failure"]["code"] == "password_unreadable"
        assert app.event(held) != "sent"

    assert app.ask("POST", CHECK).json()["response"]["ok"]
    assert world.other.connections == 0
    assert len(world.provider.received) == asked
    assert len(world.sink.shown) == shown + 1


@contextlib.contextmanager
def _changed(store: apsw.Connection, table: str, column: str, value: str) -> Iterator[None]:
    """Have a column of the newest row be another for a while."""
    newest = f"(SELECT max(revision) FROM {table})"
    where = f"WHERE revision = {newest}"
    before = store.execute(f"SELECT {column} FROM {table} {where}").fetchall()[0][0]
    store.execute(f"UPDATE {table} SET {column} = {value} {where}")
    try:
        yield
    finally:
        store.execute(f"UPDATE {table} SET {column} = ? {where}", (before,))


def test_the_stored_columns_hold_what_may_be_shown_alone(
    app: Application, world: BearerWorld, program: Program
) -> None:
    world.bind(app, "refresh_token")
    with contextlib.closing(apsw.Connection(str(program.data_dir / "smarthost.db"))) as store:
        [(column,)] = store.execute(
            "SELECT oauth2 FROM smtp_settings_revisions WHERE oauth2 IS NOT NULL"
        ).fetchall()
    assert not {"client_secret", "refresh_token", "private_key"} & json.loads(str(column)).keys()
