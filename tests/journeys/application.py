"""An application that sends through a running service, and its administrator's settings."""

import json
from dataclasses import dataclass
from typing import Any

from tests.cli.program import Program
from tests.contract.process import Process
from tests.contract.service import BASE_DOMAIN, EMAILS, SETTINGS, Reply

BATCH = f"{EMAILS}/batch"
MOST_IN_A_BATCH = 100


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """A portal and its first key."""

    name: str
    key: str

    @property
    def host(self) -> str:
        return f"{self.name}.{BASE_DOMAIN}"


@dataclass(frozen=True, kw_only=True)
class Application:
    """Asks one service, with the administrator's key of one portal."""

    process: Process
    host: str | None = None
    """The portal's, where there are several."""

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        named = {} if self.host is None else {"Host": self.host}
        octets = None if body is None else json.dumps(body).encode()
        return self.process.ask(method, path, octets, **named, **headers)

    def save(self, port: int, sender: str, **settings: object) -> int:
        """Save settings for a relay on this machine; return their revision."""
        body = {"host": "localhost", "port": port, "senderAddress": sender, **settings}
        saved = self.ask("POST", SETTINGS, body)
        assert saved.status == 200, saved.body
        return int(saved.headers["ETag"].strip('"'))

    def send(self, **fields: object) -> str:
        """Send one e-mail; return its id."""
        answer = self.ask("POST", EMAILS, email(**fields))
        assert answer.status == 200, answer.body
        return str(answer.json()["id"])

    def send_many(self, count: int, mark: str = "n") -> list[str]:
        """Send e-mails with the subjects `mark` and a number; return their ids."""
        ids: list[str] = []
        for first in range(0, count, MOST_IN_A_BATCH):
            numbers = range(first, min(count, first + MOST_IN_A_BATCH))
            batch = [email(subject=f"{mark}{number}") for number in numbers]
            answer = self.ask("POST", BATCH, batch)
            assert answer.status == 200, answer.body
            ids += [one["id"] for one in answer.json()["data"]]
        return ids

    def event(self, message_id: str) -> str:
        return str(self.ask("GET", f"{EMAILS}/{message_id}").json()["last_event"])

    def attempts(self, message_id: str) -> Any:
        return self.ask("GET", f"{EMAILS}/{message_id}/attempts").json()["data"]

    def health(self) -> Any:
        return self.ask("GET", f"{SETTINGS}/health").json()["response"]


def login(user: str, password: str) -> dict[str, object]:
    """Return the part of a save that logs in."""
    return {
        "enableAuth": True,
        "credentialsUserName": user,
        "credentialsUserPassword": password,
    }


def email(**fields: object) -> dict[str, object]:
    """Return what is sent to `/emails`: a short text, if nothing else is said."""
    return {"to": "jane@example.net", "subject": "Hello", "text": "It works.\n", **fields}


def open_tenants(program: Program, *names: str, **environ: str) -> list[Tenant]:
    """Make an installation of several portals: the first, and one for each of `names`."""
    given = {"SMARTHOST_BASE_DOMAIN": BASE_DOMAIN, **environ}
    tenants = [Tenant(name="default", key=program.init(**given))]
    for name in names:
        of_portal = ("--portal", name)
        line = ("key", "create", "--name", "x", "--permission", "*", *of_portal)
        for command in (
            ("portal", "create", name),
            ("user", "create", f"admin@{name}.test", "--role", "administrator", *of_portal),
        ):
            made = program(*command, **given)
            assert made.code == 0, made.err
        key = program(*line, **given)
        assert key.code == 0, key.err
        tenants.append(Tenant(name=name, key=key.out.strip()))
    return tenants
