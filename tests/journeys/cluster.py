"""Nodes on one PostgreSQL as an operator runs them, with what is done to them under load.

Clients keep a ledger of what was answered 200; a real Postfix is the relay and keeps all that it
has taken. What was not answered is asked again of any node, under the same idempotency key.
"""

import asyncio
import contextlib
import itertools
import json
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from smarthost.app.parts import open_parts
from smarthost.audit.model import Actor
from smarthost.config.load import load_config
from smarthost.portals.model import Permission, Role
from tests.cli.program import ADMIN, Program
from tests.contract.service import BASE_DOMAIN, EMAILS
from tests.engines import make_database, server
from tests.journeys.application import Application, Tenant, email
from tests.journeys.partition import DATABASE, LinkedServer
from tests.journeys.postfix import DOMAIN, Postfix
from tests.journeys.served import Served, started
from tests.journeys.sink import until
from tests.postgresql_server import PostgresqlServer

TO = f"jane@{DOMAIN}"
NODES = 3
_TENANTS = ("first", "second", "third")
_BY = Actor(name="operator")
_CLIENTS = 4
_BETWEEN_KILLS = 15
_AGAIN_SECONDS = 0.05
# Clocks of the server and of this test are the same machine's; a measurement is not exact.
_INEXACT_MICROSECONDS = 50_000

LOST = """
SELECT count(*) FROM recipients WHERE state NOT IN ('sent', 'queued', 'sending', 'held')"""
OPEN = "SELECT count(*) FROM recipients WHERE due_at IS NOT NULL"
HELD = """
SELECT p.name, r.message_id FROM recipients r JOIN portals p ON p.id = r.portal_id
WHERE r.state = 'held'"""
ENDED = """
SELECT CAST(m.details AS JSON) ->> 'subject', r.state, r.in_doubt
FROM recipients r JOIN messages m ON m.portal_id = r.portal_id AND m.id = r.message_id"""
ATTEMPTS = """
SELECT p.name, a.started_at, a.revision FROM attempts a JOIN portals p ON p.id = a.portal_id
WHERE a.revision IS NOT NULL"""
CUT_OFF = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 3"""
CARRIED_BY = "SELECT count(*) FROM recipients WHERE state = 'sending' AND claim LIKE $1"
PRESENT = "SELECT name FROM delivering_nodes"
# As if the time of leases had passed whose nodes are gone.
END_LEASES = """
UPDATE recipients SET due_at = 1
WHERE state = 'sending' AND split_part(claim, '/', 1) NOT IN (SELECT name FROM delivering_nodes)"""
SHOW_TURNS = "UPDATE queue_turns SET due_at = 1 WHERE due_at IS NOT NULL"


@dataclass(kw_only=True)
class Cluster:
    """The nodes, and what is known of them."""

    server: PostgresqlServer
    database: str
    programs: Sequence[Program]
    urls: Sequence[str]
    """Of the database, as each node reaches it."""
    tenants: Sequence[Tenant]
    environ: dict[str, str]
    stack: contextlib.ExitStack
    nodes: list[Served] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)
    saved: list[tuple[str, int, int]] = field(default_factory=list)
    """Portal, revision, and when the save was answered, in microseconds."""
    stopping: threading.Event = field(default_factory=threading.Event)
    still: int | None = None
    """The node that is stopped, of which nobody asks anything."""

    def ask(self, sql: str) -> list[Any]:
        return self.server.run_sql(sql, database=self.database)

    def start(self, number: int) -> None:
        given = {**self.environ, "SMARTHOST_DATABASE_URL": self.urls[number]}
        service = self.stack.enter_context(started(self.programs[number], **given))
        if number < len(self.nodes):
            self.nodes[number] = service
        else:
            self.nodes.append(service)

    def kill(self, number: int) -> None:
        """Kill a node that serves, and start it again."""
        self.nodes[number].wait_for("serving")
        self.nodes[number].kill()
        self.start(number)

    def application(self, tenant: Tenant, number: int) -> Application:
        return Application(process=self.nodes[number].client(tenant.key), host=tenant.host)

    def save(self, number: int, port: int) -> None:
        """Save settings of a portal at a node; they differ in the sender's name alone."""
        tenant = self.tenants[len(self.saved) % len(self.tenants)]
        name = f"No {len(self.saved)}"
        application = self.application(tenant, number)
        revision = application.save(port, ADMIN, senderDisplayName=name)
        self.saved.append((tenant.name, revision, time.time_ns() // 1_000))

    def name_of(self, number: int) -> str:
        """Return the name that a node has among the others."""
        told = self.nodes[number].wait_for("one of the nodes that deliver")
        return str(told["node"])

    def carried_by(self, number: int) -> int:
        sql = CARRIED_BY.replace("$1", f"'{self.name_of(number)}/%'")
        return int(self.ask(sql)[0][0])

    @contextlib.contextmanager
    def under_load(self) -> Iterator[None]:
        """Have clients send through whichever node serves."""
        clients = [threading.Thread(target=self._send, args=(mark,)) for mark in range(_CLIENTS)]
        for client in clients:
            client.start()
        try:
            yield
        finally:
            self.stopping.set()
            for client in clients:
                client.join(60)
                assert not client.is_alive()

    def _send(self, mark: int) -> None:
        chance = random.Random(mark)
        number = 0
        while not self.stopping.is_set():
            number += 1
            subject = f"c{mark}n{number}"
            tenant = chance.choice(self.tenants)
            # To the end, even when all are told to stop: what was asked may have been accepted.
            while not self._is_taken(chance.choice(self._asked()), tenant, subject):
                time.sleep(_AGAIN_SECONDS)
            self.answered.add(subject)

    def _asked(self) -> list[Served]:
        return [node for number, node in enumerate(self.nodes) if number != self.still]

    def wait_for_more(self, count: int) -> None:
        """Wait until so many more were accepted."""
        many = len(self.answered) + count
        until(lambda: len(self.answered) >= many)

    def _is_taken(self, node: Served, tenant: Tenant, subject: str) -> bool:
        if not node.events("serving"):
            return False
        connection = HTTPConnection("127.0.0.1", node.port, timeout=3)
        headers = {
            "Authorization": tenant.key,
            "Host": tenant.host,
            "Content-Type": "application/json",
            "Idempotency-Key": subject,
        }
        body = json.dumps(email(to=TO, subject=subject))
        with contextlib.closing(connection), contextlib.suppress(HTTPException, OSError):
            connection.request("POST", EMAILS, body, headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status in (200, 409, 503), answer.status
            return answer.status == 200
        return False

    def release_held(self, number: int) -> None:
        """Release what three workers have died over, as a person would."""
        by_name = {tenant.name: tenant for tenant in self.tenants}
        for portal, message_id in self.ask(HELD):
            path = f"{EMAILS}/{message_id}/release"
            assert self.application(by_name[portal], number).ask("POST", path).status == 200

    def wait_drained(self, number: int, patience: float = 60.0) -> None:
        """Wait until all that was accepted has been sent."""

        def is_drained() -> bool:
            self.release_held(number)
            return bool(self.ask(OPEN) == [(0,)])

        until(is_drained, patience)

    def account(self, relay: Postfix) -> int:
        """Check what came of everything; return how many came twice."""
        ended = self.ask(ENDED)
        assert {subject for subject, _, _ in ended} == self.answered
        assert {state for _, state, _ in ended} == {"sent"}
        doubtful = {subject for subject, _, in_doubt in ended if in_doubt}
        taken = _taken(relay, len(self.answered))
        assert set(taken) == self.answered, "none is lost, and none was made up"
        twice = {subject for subject, times in taken.items() if times > 1}
        assert twice <= doubtful, "what comes twice is marked"
        for portal, revision, saved_at in self.saved:
            for of_portal, started_at, used in self.ask(ATTEMPTS):
                if of_portal == portal and started_at > saved_at + _INEXACT_MICROSECONDS:
                    assert used >= revision, (portal, used, revision)
        return len(twice)


@contextlib.contextmanager
def cluster_in(folder: Path, linked: LinkedServer | None = None) -> Iterator[Cluster]:
    """Make an installation of several portals, for nodes each with a folder of its own.

    It is on a server of its own if one is `linked`, which has a link for each node.
    """
    url = linked.server.url(DATABASE) if linked else make_database(folder)
    environ = {
        "SMARTHOST_DATABASE_URL": url,
        "SMARTHOST_KEYRING_FILE": str(folder / "keyring"),
        "SMARTHOST_BASE_DOMAIN": BASE_DOMAIN,
        "SMARTHOST_LOG_LEVEL": "info",
    }
    programs = [Program(folder=folder / f"node{number}") for number in range(NODES)]
    for program in programs:
        program.folder.mkdir()
    tenants = asyncio.run(_make_tenants(programs[0], environ))
    with contextlib.ExitStack() as stack:
        yield Cluster(
            server=linked.server if linked else server(),
            database=url.partition("@/")[2].partition("?")[0],
            programs=programs,
            urls=linked.urls if linked else [url] * NODES,
            tenants=tenants,
            environ=environ,
            stack=stack,
        )


async def _make_tenants(program: Program, environ: dict[str, str]) -> list[Tenant]:
    config = load_config(
        program.environment(environ),
        working_directory=program.folder,
        machine_name=lambda: "smarthost.test",
        stderr_is_terminal=False,
    )
    tenants = []
    async with open_parts(config, create=True) as parts:
        for name in _TENANTS:
            portal = await parts.portals.create_portal(name, _BY)
            admin = (portal.id, ADMIN, Role.ADMINISTRATOR, None)
            user = await parts.portals.create_user(*admin, _BY)
            key = (user, "first", frozenset({Permission.ALL}), None)
            _, token = await parts.keys.create(*key, _BY)
            tenants.append(Tenant(name=name, key=token.text().reveal()))
    return tenants


def kill_stop_and_cut_off(cluster: Cluster, relay: Postfix, kills: int, *, wait: bool) -> int:
    """Do all of it under load, and check the account of it; return how many came twice.

    One node is stopped for as long as the others are killed. Unless all is to `wait` for the end
    of leases as in life, they are ended by hand.
    """
    port = relay.services["clear"][1]
    for number in range(NODES):
        cluster.start(number)
    for _ in cluster.tenants:
        cluster.save(0, port)
    with cluster.under_load():
        cluster.wait_for_more(50)
        still = _stop_in_the_middle(cluster)
        others = [number for number in range(NODES) if number != still]
        _kill_often(cluster, kills, port, others)
        for number in others:
            cluster.nodes[number].wait_for("one of the nodes that deliver")
        until(lambda: len(cluster.ask(PRESENT)) == NODES - 1)
        for sql in () if wait else (END_LEASES, SHOW_TURNS):
            cluster.ask(sql)
        until(lambda: cluster.carried_by(still) == 0)
        cluster.nodes[still].send(signal.SIGCONT)
        cluster.still = None
        # What it carried has been decided about, and it finds that out by itself.
        cluster.nodes[still].wait_for("was cut off from the other nodes")
        until(lambda: len(cluster.ask(PRESENT)) == NODES)
    cluster.wait_drained(0)
    twice = cluster.account(relay)
    for node in cluster.nodes:
        node.stop()
    return twice


def _taken(relay: Postfix, at_least: int) -> Counter[str]:
    """Return how often each subject lies in the mailbox, once so many do and no more come."""
    inbox = relay.folder / "inbox/new"
    until(lambda: relay.is_idle() and len(list(inbox.iterdir())) >= at_least)
    return Counter(_subject(path) for path in inbox.iterdir())


def _subject(path: Path) -> str:
    octets = path.read_bytes()
    return octets.partition(b"\nSubject: ")[2].partition(b"\n")[0].decode()


def _stop_in_the_middle(cluster: Cluster) -> int:
    """Stop a node (SIGSTOP) that carries something at that moment; return which it is."""
    numbers = itertools.cycle(range(NODES))

    def is_stopped_in_the_middle() -> bool:
        cluster.still = number = next(numbers)
        cluster.nodes[number].send(signal.SIGSTOP)
        if cluster.carried_by(number):
            return True
        cluster.nodes[number].send(signal.SIGCONT)
        return False

    until(is_stopped_in_the_middle)
    assert cluster.still is not None
    return cluster.still


def _kill_often(cluster: Cluster, kills: int, relay_port: int, pick: Sequence[int]) -> None:
    """Kill nodes of `pick` and sessions at the server in turn, while settings are saved too."""
    for number in range(kills):
        cluster.wait_for_more(_BETWEEN_KILLS)
        if number % 2:
            cluster.ask(CUT_OFF)
        else:
            alive = pick[(number // 2 + 1) % len(pick)]
            cluster.kill(pick[number // 2 % len(pick)])
            _try_until_done(lambda alive=alive: cluster.save(alive, relay_port))  # type: ignore[misc]


def _try_until_done(save: Callable[[], None]) -> None:
    """Save, though the session of it may just have been ended."""

    def is_done() -> bool:
        with contextlib.suppress(AssertionError, HTTPException, OSError):
            save()
            return True
        return False

    until(is_done)
