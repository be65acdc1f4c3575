"""`kill -9` while mail is accepted and delivered, again and again, and the account of it.

The clients, some by HTTP and some by SMTP, keep a ledger of what was answered 200 or 250 in
another process than the one that is killed, and the relay one of what it took. Each e-mail has an
idempotency key: what was not answered is sent again after the next start, so that at the end each
one has to be there exactly once.
"""

import contextlib
import json
import random
import smtplib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from tests.cli.program import ADMIN, Program
from tests.contract.service import EMAILS
from tests.journeys.application import BATCH, Application, email
from tests.journeys.preloaded import Preloaded, preloaded
from tests.journeys.reconciled import assert_file_is_whole, assert_ledger_closes, rows
from tests.journeys.served import Served, serving, started
from tests.journeys.sink import Sink, Taken, running_sink, until

BATCHED = 5
"""E-mails of a batch, which every other request by HTTP is."""
LONGEST_PAUSE = 0.004
"""Seconds between a message and the relay's 250, in which most kills are to fall."""

INFO = {"SMARTHOST_LOG_LEVEL": "info"}
_EVERY_TENTH = 10


@dataclass(kw_only=True)
class Ledger:
    """What one client has asked, and what was answered."""

    mark: str
    door: "Door"
    answered: dict[str, str] = field(default_factory=dict)
    """The id that each e-mail got, by its subject."""
    unanswered: list[str] | None = None
    """The subjects of the request that nobody answered."""
    requests: int = 0
    refused: list[tuple[int, bytes]] = field(default_factory=list)

    def next(self, batched: int = 1) -> list[str]:
        """Return the subjects of the request that comes next, every other of so many."""
        if self.unanswered is None:
            self.requests += 1
            count = batched if self.requests % 2 else 1
            self.unanswered = [f"{self.mark}r{self.requests}e{number}" for number in range(count)]
        return self.unanswered


Door = Callable[[Ledger, str, Served, int], None]
"""Sends at most so many requests of a client with a key, until the service is gone."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """What came of it."""

    kills: int
    accepted: int
    submitted: int
    """Those of them that came by SMTP."""
    seconds: float
    """Of service, in which those were accepted."""
    duplicates: int
    held: int
    """Recipients that had to be released since their worker had died three times."""


@dataclass(kw_only=True)
class Killing:
    """An installation that is killed, and what was asked of it."""

    program: Program
    loaded: Preloaded
    key: str
    sink: Sink
    ledgers: Sequence[Ledger]
    seconds: float = 0.0


def kill_often(folder: Path, kills: int, seed: int) -> Account:
    """Kill an installation of its own so often, and check every account of it."""
    chance = random.Random(seed)
    with installed(folder, chance) as killing:
        for number in range(kills):
            if number % _EVERY_TENTH == _EVERY_TENTH - 1:
                _kill_a_start(killing.program, chance.uniform(0.1, 0.6))
            else:
                _kill_under_load(killing, chance.uniform(0.01, 0.4))
            if number % _EVERY_TENTH == 0:
                assert_ledger_closes(killing.program.data_dir)  # as the kill has left it
        with serving(killing.program, **INFO) as service:
            held = send_the_rest(killing, service)
    return account_of(killing, kills, held)


@contextlib.contextmanager
def installed(folder: Path, chance: random.Random) -> Iterator["Killing"]:
    """Make an installation, and run the relay that its settings name."""
    folder.mkdir()
    program = Program(folder=folder)
    key = program.init()
    with (
        running_sink(pause=lambda: chance.uniform(0, LONGEST_PAUSE)) as sink,
        preloaded(program) as loaded,
    ):
        with serving(program, **INFO) as service:
            Application(process=service.client(key)).save(sink.port, ADMIN)
        ledgers = [Ledger(mark=f"c{number}", door=door) for number, door in enumerate(CLIENTS)]
        yield Killing(program=program, loaded=loaded, key=key, sink=sink, ledgers=ledgers)


def _kill_a_start(program: Program, seconds: float) -> None:
    with started(program, **INFO) as service:
        time.sleep(seconds)
        service.kill()


def _kill_under_load(killing: Killing, seconds: float) -> None:
    with killing.loaded.started(**INFO) as service, _clients(killing, service):
        time.sleep(seconds)
        killing.seconds += seconds
        assert_ledger_closes(killing.program.data_dir)
        service.kill()


@contextlib.contextmanager
def _clients(killing: Killing, service: Served) -> Iterator[None]:
    service.wait_for("serving")
    clients = [
        threading.Thread(target=ledger.door, args=(ledger, killing.key, service, 1_000_000))
        for ledger in killing.ledgers
    ]
    for client in clients:
        client.start()
    yield
    for client in clients:
        client.join(60)
        assert not client.is_alive()


def _by_http(ledger: Ledger, key: str, service: Served, at_most: int) -> None:
    connection = HTTPConnection("127.0.0.1", service.port, timeout=30)
    headers = {"Authorization": key, "Content-Type": "application/json"}
    with contextlib.closing(connection), contextlib.suppress(HTTPException, ConnectionError):
        for _ in range(at_most):
            subjects = ledger.next(BATCHED)
            emails = [email(subject=subject) for subject in subjects]
            path, body = (EMAILS, emails[0]) if len(emails) == 1 else (BATCH, emails)
            headers["Idempotency-Key"] = subjects[0]
            connection.request("POST", path, json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                ledger.refused.append((answer.status, text))
                return
            told = json.loads(text)
            ids = [one["id"] for one in told.get("data", [told])]
            ledger.answered |= dict(zip(subjects, ids, strict=True))
            ledger.unanswered = None


def _by_smtp(ledger: Ledger, key: str, service: Served, at_most: int) -> None:
    with contextlib.suppress(smtplib.SMTPServerDisconnected, ConnectionError):
        session = smtplib.SMTP("127.0.0.1", service.smtp_port, timeout=30)
        with contextlib.closing(session):
            session.login("anybody", key)
            for _ in range(at_most):
                (subject,) = ledger.next()
                message = (
                    f"From: {ADMIN}\r\nTo: jane@example.net\r\nSubject: {subject}\r\n"
                    f"X-Smarthost-Idempotency-Key: {subject}\r\n\r\nIt works.\r\n"
                )
                session.mail(ADMIN)
                session.rcpt("jane@example.net")
                code, told = session.data(message)
                if code != 250:
                    ledger.refused.append((code, told))
                    return
                ledger.answered[subject] = told.decode().removeprefix("2.0.0 Ok: queued as ")
                ledger.unanswered = None


CLIENTS: Sequence[Door] = (_by_http, _by_http, _by_smtp, _by_smtp)


def send_the_rest(killing: Killing, service: Served) -> int:
    """Let everything come to its end; return how many recipients had to be released."""
    released: set[str] = set()
    data_dir = killing.program.data_dir
    application = Application(process=service.client(killing.key))
    for ledger in killing.ledgers:
        ledger.door(ledger, killing.key, service, 1)

    def is_done() -> bool:
        held = rows(data_dir, "SELECT message_id FROM recipients WHERE held_for IS NOT NULL")
        for (message_id,) in held:
            assert application.ask("POST", f"{EMAILS}/{message_id}/release").status == 200
            released.add(message_id)
        return rows(data_dir, "SELECT count(*) FROM recipients WHERE due_at > 0") == [(0,)]

    until(is_done)
    return len(released)


def account_of(killing: Killing, kills: int, held: int) -> Account:
    """Check all that was written down, by the clients, the relay and the store."""
    data_dir = killing.program.data_dir
    assert_ledger_closes(data_dir)
    assert_file_is_whole(data_dir)
    checked = killing.program("doctor", "--json")
    assert checked.code == 0, checked.out
    answered: dict[str, str] = {}
    for ledger in killing.ledgers:
        assert (ledger.refused, ledger.unanswered) == ([], None)
        answered |= ledger.answered
    stored = dict(rows(data_dir, "SELECT message_id, in_doubt FROM recipients"))
    states = rows(data_dir, "SELECT DISTINCT state FROM recipients")
    assert (set(stored), states) == (set(answered.values()), [("sent",)])
    doubtful = {subject for subject, one in answered.items() if stored[one]}
    return Account(
        kills=kills,
        accepted=len(answered),
        submitted=sum(len(one.answered) for one in killing.ledgers if one.door is _by_smtp),
        seconds=killing.seconds,
        duplicates=_duplicates(killing.sink.taken, answered, doubtful),
        held=held,
    )


def _duplicates(taken: Sequence[Taken], answered: dict[str, str], doubtful: set[str]) -> int:
    """Return how many copies the relay has too many, each with its excuse.

    Where a kill falls between the relay's 250 and our commit the message goes out once more, and
    is marked. That message is the last of its connection, so there is at most one for each.
    """
    last = {one.connection: number for number, one in enumerate(taken)}
    copies: dict[str, list[int]] = defaultdict(list)
    for number, one in enumerate(taken):
        copies[_subject(one)].append(number)
    assert set(copies) == set(answered), "what the relay has is what was accepted"
    for subject, numbers in copies.items():
        for number in numbers[:-1]:
            assert last[taken[number].connection] == number, f"{subject} was not the last one"
            assert subject in doubtful, f"{subject} came twice and is not marked"
        assert len({taken[number].content for number in numbers}) == 1
    return len(taken) - len(copies)


def _subject(taken: Taken) -> str:
    return taken.content.partition(b"\r\nSubject: ")[2].partition(b"\r\n")[0].decode()
