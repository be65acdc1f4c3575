"""Nodes on one PostgreSQL that part the work, stop in order, and agree on what was changed."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from smtplib import SMTPException
from typing import Any

import pytest

from tests.cli.program import ADMIN, Program
from tests.contract.service import EMAILS, KEYS, SETTINGS
from tests.engines import make_database
from tests.journeys.application import Application, email, login
from tests.journeys.served import Served, started
from tests.journeys.sink import PATIENCE, Sink, running_sink, until
from tests.journeys.submission import submitted

pytestmark = pytest.mark.needs("postgres")

TO = "jane@example.net"
MOST_TESTS = 5
_SOME = 10
_AT_ONCE = 12


@dataclass(kw_only=True)
class Nodes:
    """Those of one installation, by the names that a test gives them."""

    folder: Path
    url: str
    stack: contextlib.ExitStack
    key: str = ""
    running: dict[str, Served] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)
    """Subjects of what was answered 200 or 250."""
    in_doubt: set[str] = field(default_factory=set)
    """Those whose connection ended before an answer, so that they were asked again."""

    def program(self, name: str) -> Program:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return Program(folder=folder)

    @property
    def environ(self) -> dict[str, str]:
        keyring = str(self.folder / "keyring")
        return {"SMARTHOST_DATABASE_URL": self.url, "SMARTHOST_KEYRING_FILE": keyring}

    def start(self, name: str, *arguments: str, **environ: str) -> Served:
        node = started(self.program(name), *arguments, **self.environ, **environ)
        self.running[name] = self.stack.enter_context(node)
        self.running[name].wait_for("serving")
        return self.running[name]

    def application(self, name: str) -> Application:
        return Application(process=self.running[name].client(self.key))

    def post(self, name: str, subject: str) -> bool:
        answer = self.application(name).ask(
            "POST", EMAILS, email(subject=subject), Idempotency_Key=subject
        )
        assert answer.status == 200, answer.body
        return True

    def submit(self, name: str, subject: str) -> bool:
        code, words = submitted(self.running[name], self.key, TO, subject)
        assert code in (250, 421), words
        return code == 250

    @contextlib.contextmanager
    def under_load(
        self, *doors: tuple[Callable[[str, str], bool], Sequence[str]]
    ) -> Iterator[None]:
        """Send by each way to the first of its nodes that takes it, until the end."""
        over = threading.Event()

        def send(number: int) -> None:
            ask, names = doors[number]
            count = 0
            while not over.is_set():
                count += 1
                subject = f"way {number} mail {count}"
                while not any(self._is_taken(ask, name, subject) for name in names):
                    over.wait(0.02)
                self.sent.append(subject)

        with ThreadPoolExecutor(len(doors)) as threads:
            sending = [threads.submit(send, number) for number in range(len(doors))]
            try:
                yield
            finally:
                over.set()
            for one in sending:
                one.result(PATIENCE)

    def _is_taken(self, ask: Callable[[str, str], bool], name: str, subject: str) -> bool:
        try:
            return ask(name, subject)
        except ConnectionRefusedError:
            return False
        except (HTTPException, SMTPException, OSError):
            self.in_doubt.add(subject)
            return False

    def wait_for_more(self, sink: Sink) -> None:
        """Wait until more was accepted by now, and more has gone out."""
        accepted, taken = len(self.sent), len(sink.taken)
        until(lambda: len(self.sent) >= accepted + _SOME and len(sink.taken) >= taken + _SOME)


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    with contextlib.ExitStack() as stack:
        nodes = Nodes(folder=tmp_path, url=make_database(tmp_path), stack=stack)
        nodes.key = nodes.program("first").init(**nodes.environ)
        yield nodes


def subject_of(content: bytes) -> str:
    return content.partition(b"\r\nSubject: ")[2].partition(b"\r\n")[0].decode()


def test_nodes_of_one_role_each_work_together_and_one_that_stops_loses_and_doubles_nothing(
    nodes: Nodes,
) -> None:
    roles = {"web": "http", "door": "submission", "mail": "delivery"}
    with running_sink() as sink:
        for name, role in roles.items():
            nodes.start(name, "--roles", role)
        nodes.application("web").save(sink.port, ADMIN)
        nodes.post("web", "by HTTP")
        nodes.submit("door", "by SMTP")
        came = {subject_of(one.content) for one in sink.wait_for(2)}
        assert came == {"by HTTP", "by SMTP"}
        assert not any(nodes.running[name].events("delivering") for name in ("web", "door"))
        nodes.start("all", "--processes", "2")
        nodes.sent += came
        with nodes.under_load(
            (nodes.post, ("web", "all")),
            (nodes.submit, ("door", "all")),
        ):
            for name in roles:
                nodes.wait_for_more(sink)
                nodes.running[name].stop()
            nodes.wait_for_more(sink)
        until(lambda: {subject_of(one.content) for one in sink.taken} >= set(nodes.sent))
        nodes.running["all"].stop()
        subjects = [subject_of(one.content) for one in sink.taken]
    assert set(subjects) == set(nodes.sent)
    twice = {one for one in subjects if subjects.count(one) > 1}
    assert twice <= nodes.in_doubt


def test_what_is_changed_at_one_node_counts_at_the_other_at_once(nodes: Nodes) -> None:
    with running_sink({"postman": "right"}) as sink:
        for name in ("one", "two"):
            nodes.start(name, SMARTHOST_RATE_LIMITS="on")
        one, two = nodes.application("one"), nodes.application("two")
        keys_come_and_go(nodes, one)
        a_portal_is_suspended(nodes, two)
        one.save(sink.port, ADMIN, **login("postman", "wrong"))
        two.send(subject="held")
        until(lambda: one.health()["state"] == two.health()["state"] == "held")
        two.save(sink.port, ADMIN, **login("postman", "right"))
        one.send(subject="at once")
        came = {subject_of(taken.content) for taken in sink.wait_for(2)}
        assert came == {"held", "at once"}
        the_limit_of_tests_holds([one, two], sink)


def keys_come_and_go(nodes: Nodes, one: Application) -> None:
    for _ in range(3):
        asked = {"name": "shop", "permissions": ["*"]}
        made: Any = one.ask("POST", KEYS, asked).json()["response"]
        other = nodes.running["two"].client(made["key"])
        assert other.ask("GET", SETTINGS).status == 200
        assert submitted(nodes.running["two"], made["key"])[0] != 535, "there is no relay yet"
        assert one.ask("DELETE", f"{KEYS}/{made['id']}").status == 200
        assert other.ask("GET", SETTINGS).status == 401
        assert submitted(nodes.running["two"], made["key"])[0] == 535


def a_portal_is_suspended(nodes: Nodes, two: Application) -> None:
    operator = nodes.program("first")
    for word, status in (("suspend", 403), ("resume", 200)):
        ended = operator("portal", word, "default", **nodes.environ)
        assert ended.code == 0, ended.err
        assert two.ask("GET", SETTINGS).status == status


def the_limit_of_tests_holds(nodes: Sequence[Application], sink: Sink) -> None:
    before = len(sink.taken)
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        asked = [
            threads.submit(nodes[number % 2].ask, "GET", f"{SETTINGS}/test")
            for number in range(_AT_ONCE)
        ]
        statuses = [one.result().status for one in asked]
    assert statuses.count(429) == _AT_ONCE - MOST_TESTS, statuses

    def is_over() -> bool:
        status: Any = nodes[0].ask("GET", f"{SETTINGS}/test/status").json()["response"]
        return bool(status["completed"])

    until(is_over)
    assert 1 <= len(sink.taken) - before <= MOST_TESTS
