"""Upgrades as operators make them: killed, stopped, and beside a service that goes on."""

import asyncio
import contextlib
import json
import random
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

from smarthost.clock import SystemClock
from smarthost.database.engine import Database, Transaction
from smarthost.database.migrate import Migration, migrate, migrations, schema_version
from smarthost.secret import Secret
from smarthost.smtp_settings.key_ring_file import load_key_ring
from smarthost.smtp_settings.model import Destination, Mechanism
from tests.cli.program import ADMIN, Program
from tests.contract.service import BASE_DOMAIN, EMAILS, SETTINGS
from tests.database.first_store import KEY, PORTAL, write_first_store, write_key_ring
from tests.engines import ENGINES, executing, make_database, open_database
from tests.journeys.application import Application, email
from tests.journeys.served import Served, serving, started
from tests.journeys.sink import running_sink, until

T = TypeVar("T")

USER, PASSWORD = "notify", "typed into the first program"
SENDERS = 2
BETWEEN = 5
_SAVE = """
INSERT INTO smtp_settings_revisions
    (portal_id, revision, action, saved_at, saved_by, host, port, sender_address, user_name,
     sealed_password, enable_ssl, enable_auth, use_ntlm)
VALUES ($1, 2, 'save', 1795425957851779, 'operator', 'localhost', $2, $3, $4, $5, 0, 1, 0)"""
MADE_ANEW = "checks_without_lists"
"""A migration that makes tables anew under SQLite."""
ADDITIONS = (
    "ALTER TABLE portals ADD COLUMN more TEXT",
    "ALTER TABLE queue_turns ADD COLUMN more INTEGER NOT NULL DEFAULT 0",
    """
    ALTER TABLE messages ADD COLUMN more TEXT;
    ALTER TABLE recipients ADD COLUMN more TEXT;
    ALTER TABLE attempts ADD COLUMN more INTEGER NOT NULL DEFAULT 7;
    ALTER TABLE smtp_settings_revisions ADD COLUMN more TEXT;""",
    """
    CREATE TABLE more (portal_id TEXT NOT NULL PRIMARY KEY);
    CREATE INDEX more_recipients ON recipients (portal_id, more);
    DROP INDEX recipients_held;""",
)


@dataclass(frozen=True, kw_only=True)
class Installation:
    """A program and its store, on one of the engines."""

    engine: str
    program: Program
    environ: dict[str, str]

    def do(self, work: Callable[[Database], Awaitable[T]]) -> T:
        """Do something with the store, as another process."""

        async def done() -> T:
            database = open_database(self.engine, self.program.data_dir)
            try:
                return await work(database)
            finally:
                await database.close()

        return asyncio.run(done())


@pytest.fixture(params=ENGINES)
def installation(request: pytest.FixtureRequest, program: Program) -> Installation:
    program.data_dir.mkdir()
    environ = {}
    if request.param == "postgresql":
        environ["SMARTHOST_DATABASE_URL"] = make_database(program.data_dir)
    return Installation(engine=request.param, program=program, environ=environ)


def test_the_first_store_serves_and_sends_after_an_upgrade_that_was_killed(
    installation: Installation,
) -> None:
    program = installation.program
    ring = program.data_dir / "keyring.json"
    several = {**installation.environ, "SMARTHOST_BASE_DOMAIN": BASE_DOMAIN}
    write_key_ring(ring)
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201 - to have the same kills again
    version = random.Random(seed).randrange(2, len(migrations(installation.engine)))
    with running_sink({USER: PASSWORD}) as sink:
        destination = Destination(
            portal_id=PORTAL, host="localhost", port=sink.port, enable_ssl=False,
            mechanism=Mechanism.PASSWORD, user_name=USER,
        )  # fmt: skip
        blob = load_key_ring(ring).seal(Secret(PASSWORD), destination)

        async def write(database: Database) -> None:
            await write_first_store(database)
            await database.transact(executing(_SAVE, PORTAL, sink.port, ADMIN, USER, blob))

        installation.do(write)
        kill_upgrade(installation, version)
        with serving(program, **several) as service:
            application = Application(process=service.client(KEY), host=f"default.{BASE_DOMAIN}")
            read = application.ask("GET", SETTINGS)
            assert read.headers["ETag"] == '"2"'
            sent = application.send()
            (taken,) = sink.wait_for(1)
            assert (taken.login, taken.sender) == (USER, ADMIN)
            until(lambda: application.event(sent) == "sent")
            restored = application.ask("POST", f"{SETTINGS}/history/1/restore")
            assert restored.json()["response"]["host"] == "mail.example.com", restored.body


def kill_upgrade(installation: Installation, version: int) -> None:
    """Start an upgrade, and kill it as soon as it has come to `version`."""
    program = installation.program
    process = subprocess.Popen(
        program.command("database", "upgrade"),
        env=program.environment(installation.environ),
        cwd=program.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    async def wait(database: Database) -> None:
        async with asyncio.timeout(60):
            while process.poll() is None and (await schema_version(database) or 0) < version:  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    try:
        installation.do(wait)
    finally:
        process.kill()
        process.wait()


@dataclass(kw_only=True)
class Senders:
    """Applications that go on sending, and what they were answered."""

    application: Application
    answered: list[str] = field(default_factory=list)
    refused: list[tuple[int, bytes]] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._send) for _ in range(SENDERS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stopping.set()
            for thread in threads:
                thread.join(60)

    def _send(self) -> None:
        while not self.stopping.is_set():
            answer = self.application.ask("POST", EMAILS, email())
            if answer.status == 200:
                self.answered.append(answer.json()["id"])
            else:
                self.refused.append((answer.status, answer.body))

    def wait_for_more(self) -> None:
        many = len(self.answered) + BETWEEN
        until(lambda: len(self.answered) >= many)


def newer(engine: str) -> list[Migration]:
    """Return the migrations of programs that come after this one."""
    known = migrations(engine)
    again = [one.script for one in known if one.name == MADE_ANEW and engine == "sqlite"]
    later = [
        Migration(version=version, name="later", script=script)
        for version, script in enumerate([*again, *ADDITIONS], len(known) + 1)
    ]
    return [*known, *later]


def test_a_service_goes_on_while_a_newer_one_adds_to_its_tables(
    installation: Installation,
) -> None:
    program, environ = installation.program, installation.environ
    later = newer(installation.engine)
    known = len(migrations(installation.engine))
    key = program.init(**environ)
    with running_sink() as sink, serving(program, **environ) as service:
        application = Application(process=service.client(key))
        application.save(sink.port, ADMIN)
        senders = Senders(application=application)
        with senders.at_work():
            for version in range(known, len(later) + 1):
                senders.wait_for_more()
                installation.do(
                    lambda database, to=version: migrate(database, SystemClock(), later[:to])  # type: ignore[misc]
                )
                assert application.save(sink.port, ADMIN, senderDisplayName=f"{version}")
            senders.wait_for_more()
        assert senders.refused == []
        sink.wait_for(len(senders.answered))
        until(lambda: all(application.event(one) == "sent" for one in senders.answered[-5:]))
        assert len(sink.taken) == len(senders.answered)
        levels = {json.loads(line)["level"] for line in service.log}
        assert levels <= {"debug", "info"}, service.log
    program("serve", **environ).assert_one_line(5, f"schema version {len(later)}")


@pytest.mark.needs("postgres")
@pytest.mark.parametrize("arguments", [(), ("--processes", "2")])
def test_a_stop_in_the_middle_of_an_upgrade_ends_it(
    program: Program, arguments: tuple[str, ...]
) -> None:
    program.data_dir.mkdir()
    url = make_database(program.data_dir)
    environ = {"SMARTHOST_DATABASE_URL": url, "SMARTHOST_ADMIN_EMAIL": ADMIN}
    installation = Installation(engine="postgresql", program=program, environ=environ)

    async def upgrade_elsewhere(tx: Transaction) -> None:
        """Be at it as another node is, until this one has been stopped."""
        await tx.lock("schema_migrations")
        with started(program, *arguments, **environ) as service:
            stopping = asyncio.create_task(asyncio.to_thread(stop_waiting, service))
            while not stopping.done():
                await tx.fetch("SELECT 1")  # whoever is idle for ten seconds is ended
                await asyncio.wait({stopping}, timeout=1)
            await stopping

    installation.do(lambda database: database.transact_long(upgrade_elsewhere))


def stop_waiting(service: Served) -> None:
    assert service.wait_for("waiting for the tables")["level"] == "warning"
    service.stop()
