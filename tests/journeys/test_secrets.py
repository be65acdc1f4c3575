"""Secrets are nowhere but sealed, hashed, or in the file that is theirs.

Each run has passwords of its own, which nothing else can contain. They are looked for in every
form in which a program may carry them along unknowingly.
"""

import json
import secrets
import signal
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import ADMIN, Program
from tests.contract.bodies import LOGIN
from tests.contract.process import Process
from tests.contract.service import AUTHENTICATION, KEYS, SETTINGS
from tests.journeys.canaries import found_in
from tests.journeys.served import serving
from tests.smtp_settings.binding.bindings import private_key

# A service manager may allow core dumps; `exec` keeps the pid.
WITH_CORE_DUMPS = ("sh", "-c", 'ulimit -c unlimited 2>/dev/null; exec "$@"', "sh")


@pytest.mark.parametrize("before", range(10))
def test_every_form_is_found(before: int) -> None:
    secret = _canary("\u00e4?>")
    around = bytes(range(before)) + secret.encode() + b"after"
    for text in (b64encode(around), around, around.hex().encode(), secret.encode("utf-16")):
        assert found_in(text, [secret])
    assert not found_in(b64encode(b"something else" * 9), [secret])


def test_no_secret_is_in_a_log_an_answer_a_file_or_the_process(program: Program) -> None:
    stored, relay, person, wrong = (_canary(mark) for mark in ("\u00e4?>", "p", "q", "w"))
    application, refreshing = _canary("a"), _canary("r")
    url = program.folder / "relay-url"
    url.write_text(f"smtp://user:{relay}@relay.example.com?sender={ADMIN}")
    environ = {
        "SMARTHOST_DEFAULT_RELAY_URL_FILE": str(url),
        "SMARTHOST_ADMIN_EMAIL": ADMIN,
    }
    with serving(program, under=WITH_CORE_DUMPS, **environ) as service:
        key_file = program.data_dir / "first-key"
        client = service.client(key_file.read_text().strip())
        changed = program("user", "password", ADMIN, "--password-stdin", typed=person, **environ)
        assert changed.code == 0, changed.err
        session = _signed_in(client, person)
        link = _linked(program, client, environ)
        answers = [changed.out + changed.err, client.ask("GET", SETTINGS).body.decode()]
        answers += _saved(client, stored)
        answers += _refused_bodies(client, stored)
        answers += _oauth2(client, application, refreshing)
        answers += _refused_credentials(client, wrong)
        answers.append(client.ask("GET", "/metrics").body.decode())
        answers.append(program("audit", "export", **environ).out)

        of_the_key = private_key().splitlines()[3]
        known = [stored, relay, person, wrong, application, refreshing, of_the_key]
        known += [session, link, client.key]
        assert not found_in("\n".join(answers).encode(), known)
        assert not found_in(_told_by_kernel(service.pid), known)
        assert not found_in(_files(program, but={url, key_file}), known)
        assert not found_in(key_file.read_bytes(), known[:-1])

        service.send(signal.SIGABRT)
        assert service.ended() == -signal.SIGABRT
    assert not found_in("\n".join(service.log + service.printed).encode(), known)
    assert not found_in(_files(program, but={url, key_file}), known)
    assert not list(program.folder.rglob("core*"))
    # It has looked where there was something to see.
    assert len(service.events("request")) > 30
    assert LOGIN["host"].encode() in _files(program, but={url, key_file})


def test_the_process_may_dump_no_core(program: Program, key: str) -> None:
    with serving(program, under=WITH_CORE_DUMPS) as service:
        limits = Path(f"/proc/{service.pid}/limits").read_text()
    (line,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    assert line.split()[4:6] == ["0", "0"]


@pytest.mark.parametrize(
    "url",
    [
        "smtp://user:{}@relay.example.com",
        "smtp://user:{}@relay.example.com:port?sender=a@example.com",
        "smtp://user:{}#x@relay.example.com?sender=a@example.com",
        "smtp://user:x/{}@relay.example.com?sender=a@example.com",
        "smtp://user:x?{}@relay.example.com?sender=a@example.com",
        "{}",
    ],
)
def test_a_faulty_relay_url_is_refused_without_its_password(program: Program, url: str) -> None:
    canary = _canary("p")
    for name in ("SMARTHOST_DEFAULT_RELAY_URL", "SMARTHOST_DEFAULT_RELAY_URL_FILE"):
        value = url.format(canary)
        if name.endswith("_FILE"):
            file = program.folder / "relay-url"
            file.write_text(value)
            value = str(file)
        for command in ("serve", "doctor"):
            ended = program(command, **{name: value})
            assert ended.code in (1, 3)
            assert "SMARTHOST_DEFAULT_RELAY_URL" in ended.out + ended.err
            assert not found_in((ended.out + ended.err).encode(), [canary])


def _canary(mark: str) -> str:
    return f"CANARY{mark}{secrets.token_hex(8)}"


def _signed_in(client: Process, password: str) -> str:
    credentials = {"userName": ADMIN, "password": password}
    begun = client.ask("POST", AUTHENTICATION, json.dumps(credentials).encode())
    assert begun.status == 200, begun.body
    return str(begun.json()["response"]["token"])


def _linked(program: Program, client: Process, environ: dict[str, str]) -> str:
    """Make a sign-in link, look at its page, and return the secret part of its token."""
    url = str(program("user", "link", ADMIN, "--json", **environ).json()["url"])
    path = url[url.index("/sign-in/") :]
    for _ in range(2):
        client.ask("GET", path)
    _, _, secret = path.partition("token=")[2].split("_", 2)
    assert len(secret) == 43
    return secret


def _saved(client: Process, password: str) -> Iterator[str]:
    body = {**LOGIN, "credentialsUserPassword": password}
    for text in (json.dumps(body), json.dumps(body, ensure_ascii=False), json.dumps(body)):
        saved = client.ask("POST", SETTINGS, text.encode())
        assert saved.status == 200, saved.body
        yield f"{saved.headers}{saved.body.decode()}"
    # So that the WAL holds more than one of them.
    assert client.ask("POST", SETTINGS, json.dumps({**body, "port": 588}).encode()).status == 200


def _refused_bodies(client: Process, password: str) -> Iterator[str]:
    right = {**LOGIN, "credentialsUserPassword": password}
    bodies = [
        {**right, "port": 0},
        {**right, "port": password},
        {**right, "enableSSL": password},
        {**right, "credentialsUserPassword": [password]},
        {**right, "credentialsUserPassword": {"text": password}},
        {**right, "credentialsUserPassword": f"{password}\n"},
        {**right, "credentialsUserPassword": password * 100},
        {**right, "CREDENTIALSUSERPASSWORD": password},
        {**right, "password": password},
        {**right, "host": f"smtp://user:{password}@relay.example.com"},
        [password],
        password,
    ]
    texts = [json.dumps(body).encode() for body in bodies]
    texts += [texts[0][:-1], texts[0] + b"x", texts[0] + b"\xff", b"\xef\xbb\xbf" + texts[0]]
    texts += [texts[0] + b" " * 70_000]
    for text in texts:
        refused = client.ask("POST", SETTINGS, text)
        assert 400 <= refused.status < 500, refused.body
        yield f"{refused.headers}{refused.body.decode()}"
    shown: list[dict[str, str]]
    shown = [{"Content_Type": "text/plain"}, {"Accept": "x/y"}, {"If_Match": '"999"'}]
    for headers in shown:
        refused = client.ask("POST", SETTINGS, json.dumps(right).encode(), **headers)
        assert 400 <= refused.status < 500, refused.body
        yield f"{refused.headers}{refused.body.decode()}"


def _oauth2(client: Process, application: str, refreshing: str) -> Iterator[str]:
    """Set OAuth2 up by each kind of secret, and have each refused."""
    common = {
        "clientId": "app-4711",
        "tokenUrl": "https://login.example.net/token",
        "scope": "smtp.send",
        "userName": "postman",
    }
    own = {"grant": "client_credentials", "clientSecret": application}
    refreshed = {"grant": "refresh_token", "clientSecret": application}
    refreshed |= {"refreshToken": refreshing}
    account = {"grant": "service_account", "serviceAccount": private_key()}
    wrong: list[dict[str, object]] = [
        {"scope": ""},
        {"clientSecret": [application], "refreshToken": {"a": refreshing}},
        {"clientSecret": f"{application}\n", "refreshToken": f"{refreshing}\n"},
        {"grant": application},
        {"tokenUrl": f"https://user:{application}@login.example.net/"},
        {"serviceAccount": {"private_key": private_key()[:-40]}},
    ]
    for secrets_of_it in (own, refreshed, account):
        right = {**common, **secrets_of_it}
        for change in ({}, *wrong):
            body = json.dumps({**right, **change}).encode()
            answered = client.ask("PUT", f"{SETTINGS}/oauth2", body)
            assert answered.status == (400 if change else 200), answered.body
            yield f"{answered.headers}{answered.body.decode()}"
        for path in ("/oauth2", "", "/health", "/history"):
            yield client.ask("GET", f"{SETTINGS}{path}").body.decode()


def _refused_credentials(client: Process, wrong: str) -> Iterator[str]:
    nobody = Process(pid=client.pid, port=client.port, key="")
    basic = b64encode(f"{ADMIN}:{wrong}".encode()).decode()
    shown: list[dict[str, str]] = [
        {"Authorization": wrong},
        {"Authorization": f"Bearer {wrong}"},
        {"Authorization": f"Basic {basic}"},
        {"Authorization": f"Basic {wrong}"},
        {"ApiKeyBearer": wrong},
        {"Cookie": f"asc_auth_key={wrong}"},
        {"Cookie": f"asc_auth_key={wrong}; asc_auth_key={client.key}"},
    ]
    for headers in shown:
        for method, path in (("GET", SETTINGS), ("GET", KEYS), ("DELETE", SETTINGS)):
            refused = nobody.ask(method, path, None, **headers)
            # A Basic password is wrong five times, then it is not even looked at.
            assert refused.status in (401, 429), refused.body
            yield f"{refused.headers}{refused.body.decode()}"
    for body in ({"userName": ADMIN, "password": wrong}, {"userName": wrong, "password": wrong}):
        refused = nobody.ask("POST", AUTHENTICATION, json.dumps(body).encode())
        assert 400 <= refused.status < 500
        yield f"{refused.headers}{refused.body.decode()}"


def _told_by_kernel(pid: int) -> bytes:
    """What other processes of the same user can read of this one."""
    names = ("cmdline", "environ", "comm", "status", "limits", "maps")
    return b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for name in names)


def _files(program: Program, but: set[Path]) -> bytes:
    kept = [path for path in program.folder.rglob("*") if path.is_file() and path not in but]
    assert {path.name for path in kept} >= {"smarthost.db", "smarthost.db-wal", "keyring.json"}
    return b"\n".join(path.read_bytes() for path in kept)
