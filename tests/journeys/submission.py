"""A service as an application finds it that submits by SMTP: where it is, and a key for it."""

import contextlib
import smtplib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cli.program import ADMIN, Program
from tests.contract.service import EMAILS, KEYS
from tests.journeys.application import Application
from tests.journeys.reconciled import rows
from tests.journeys.served import Served, serving
from tests.journeys.sink import PATIENCE

HOST = "localhost"
USER = "anybody"
"""The user's name, which is free."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """An API key that may send, and nothing else."""

    id: str
    text: str


@dataclass(frozen=True, kw_only=True)
class House:
    """An installation that runs, its administrator, and a key that applications submit with."""

    program: Program
    service: Served
    application: Application
    key: Key

    @contextlib.contextmanager
    def session(self, key: str = "") -> Iterator[smtplib.SMTP]:
        """Give a session in clear that has logged in."""
        with smtplib.SMTP(HOST, self.service.smtp_port, timeout=PATIENCE) as smtp:
            smtp.login(USER, key or self.key.text)
            yield smtp

    def newest(self) -> list[dict[str, Any]]:
        """Return what was accepted last; nothing, if that is so."""
        return list(self.application.ask("GET", f"{EMAILS}?limit=1").json()["data"])

    def is_idle(self) -> bool:
        """Whether all that was accepted has gone out."""
        waiting = "SELECT count(*) FROM recipients WHERE due_at IS NOT NULL"
        return rows(self.program.data_dir, waiting) == [(0,)]


@contextlib.contextmanager
def opened(folder: Path, **environ: str) -> Iterator[House]:
    """Run a service on an empty folder, and stop it in order."""
    program = Program(folder=folder)
    with serving(program, SMARTHOST_ADMIN_EMAIL=ADMIN, **environ) as service:
        administrator = (program.data_dir / "first-key").read_text(encoding="utf-8").strip()
        application = Application(process=service.client(administrator))
        key = make_key(application)
        yield House(program=program, service=service, application=application, key=key)


def make_key(application: Application) -> Key:
    """Make a key that may send and nothing else."""
    asked = {"name": "shop", "permissions": ["send"]}
    made: Any = application.ask("POST", KEYS, asked).json()["response"]
    return Key(id=made["id"], text=made["key"])


def submitted(
    service: Served, key: str, to: str = "jane@example.net", subject: str = "by SMTP"
) -> tuple[int, bytes | str]:
    """Hand in a message by SMTP; return the last answer."""
    with smtplib.SMTP(HOST, service.smtp_port, timeout=PATIENCE) as session:
        session.ehlo()
        # Not `login`, which tries one mechanism after the other whatever is answered.
        session.user, session.password = USER, key
        try:
            session.auth("PLAIN", session.auth_plain)
            session.mail(ADMIN)
            session.rcpt(to)
            return session.data(f"From: {ADMIN}\r\nSubject: {subject}\r\n\r\nIt works.\r\n")
        except smtplib.SMTPResponseException as refused:
            return refused.smtp_code, refused.smtp_error
