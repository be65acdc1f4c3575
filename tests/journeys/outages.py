"""Nodes whose server goes away under load: for one of them, or for all.

Whatever is asked meanwhile is answered within a bounded time, and afterwards all go on by
themselves. Clients keep their ledger as in `cluster.py`.
"""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tests.apart import apart
from tests.contract.service import EMAILS
from tests.journeys.application import Application, email
from tests.journeys.cluster import (
    END_LEASES,
    NODES,
    PRESENT,
    SHOW_TURNS,
    TO,
    Cluster,
    cluster_in,
)
from tests.journeys.partition import DATABASE, LinkedServer, linked_server
from tests.journeys.postfix import Postfix, folder_for_postfix, postfix
from tests.journeys.sink import until
from tests.journeys.submission import submitted
from tests.postgresql_server import PostgresqlServer

ANSWER_SECONDS = 15.0
"""Within which a node answers, whatever is the matter with its server."""
TAKE_OVER_SECONDS = 10.0
"""Within which other nodes have the mail of one that was cut off: 5 of them it may be silent."""
RECOVERY_SECONDS = 15.0
"""Within which a node answers as ever, once its server is back."""
SOME = 30
_MARKS = "abcde"
"""Of e-mails that are sent at once to one node."""
_BETWEEN_SECONDS = 0.2
_CRASHED_SECONDS = 1.0


class Told(NamedTuple):
    """What is worth telling of an outage that has closed its account."""

    accepted: int
    twice: int
    longest: float
    """Seconds until a node without its server had answered, at the most."""
    back: float
    """Seconds until it answered as ever, once it was there again."""


class Asking:
    """Asks nodes that cannot reach their server, by all ways that they have."""

    def __init__(self, cluster: Cluster, numbers: Sequence[int]) -> None:
        self._cluster = cluster
        self._numbers = numbers
        self.longest = 0.0

    def ready(self, number: int) -> int:
        return self._application(number).ask("GET", "/readyz").status

    def send(self, number: int, mark: str) -> int:
        """Send what is one e-mail, however often it is asked."""
        message = email(to=TO, subject=_subject(number, mark))
        key = {"Idempotency-Key": _subject(number, mark)}
        return self._application(number).ask("POST", EMAILS, message, **key).status

    def submit(self, number: int) -> int:
        key = self._cluster.tenants[0].key
        return submitted(self._cluster.nodes[number], key, TO, "never taken")[0]

    def _application(self, number: int) -> Application:
        return self._cluster.application(self._cluster.tenants[0], number)

    def meanwhile(self, seconds: float) -> None:
        """Ask for so long, many at once; each answer says that the store is away, and in time."""
        until_then = time.monotonic() + seconds
        with ThreadPoolExecutor() as threads:
            while time.monotonic() < until_then:
                asked = [threads.submit(self._timed, *one) for one in self._all()]
                for one in asked:
                    one.result()
                time.sleep(_BETWEEN_SECONDS)

    def _all(self) -> Iterator[tuple[Callable[[], int], int]]:
        for number in self._numbers:
            yield partial(self.ready, number), 503
            yield partial(self.submit, number), 451
            for mark in _MARKS:
                yield partial(self.send, number, mark), 503

    def _timed(self, ask: Callable[[], int], wanted: int) -> None:
        began = time.monotonic()
        status = ask()
        seconds = time.monotonic() - began
        self.longest = max(self.longest, seconds)
        assert status == wanted, (ask, status)
        assert seconds < ANSWER_SECONDS, ask

    def wait_back(self) -> float:
        """Wait until all answer as ever; return the seconds until they were ready."""
        began = time.monotonic()
        for number in self._numbers:
            until(lambda number=number: self.ready(number) == 200, RECOVERY_SECONDS)  # type: ignore[misc]
        back = time.monotonic() - began
        mail = [(number, mark) for number in self._numbers for mark in _MARKS]
        # What was under way when the server came back may be told late that it was away.
        with ThreadPoolExecutor() as threads:
            until(
                lambda: set(threads.map(lambda one: self.send(*one), mail)) == {200},
                RECOVERY_SECONDS,
            )
        self._cluster.answered |= {_subject(*one) for one in mail}
        return back


def _subject(number: int, mark: str) -> str:
    return f"of {number} {mark}"


@contextlib.contextmanager
def relay_of_nodes() -> Iterator[Postfix]:
    """Run the relay of a cluster."""
    with folder_for_postfix() as folder, postfix(folder, "127.0.0.1", {"clear": {}}) as running:
        yield running


def cut_one_off_apart(folder: Path, seconds: float, *, wait: bool) -> Told:
    """Cut a node off that carries something, under load; check that others go on, and it too.

    Unless all is to `wait` for the end of leases as in life, they are ended by hand. Skips the
    test where no network of its own is allowed.
    """

    def journey() -> Told:
        with (
            relay_of_nodes() as relay,
            linked_server(NODES) as linked,
            cluster_in(folder, linked) as cluster,
        ):
            return _cut_one_off(cluster, linked, relay, seconds, wait=wait)

    return apart(journey)


def stop_a_server_of_its_own(folder: Path, seconds: float) -> Told:
    """Have the server stand still under load, and crash; check that all nodes go on."""
    server = PostgresqlServer()
    linked = LinkedServer(server=server, urls=[server.url(DATABASE)] * NODES)
    try:
        with relay_of_nodes() as relay, cluster_in(folder, linked) as cluster:
            return _stop_the_server(cluster, relay, seconds)
    finally:
        server.remove()


def _cut_one_off(
    cluster: Cluster, linked: LinkedServer, relay: Postfix, seconds: float, *, wait: bool
) -> Told:
    with loaded(cluster, relay):
        cut = _cut_in_the_middle(cluster, linked)
        others = [number for number in range(NODES) if number != cut]
        asking = Asking(cluster, [cut])
        with ThreadPoolExecutor(1) as thread:
            going_on = thread.submit(_go_on_without, cluster, cut, others, wait=wait)
            asking.meanwhile(seconds)
            going_on.result()
        linked.join(cut)
        back = asking.wait_back()
        cluster.still = None
        cluster.nodes[cut].wait_for("was cut off from the other nodes")
        assert not any(
            cluster.nodes[number].events("was cut off from the other nodes") for number in others
        ), "they were there all the time"
        until(lambda: len(cluster.ask(PRESENT)) == NODES)
        cluster.wait_for_more(SOME)
    return ended(cluster, relay, asking, back)


def _stop_the_server(cluster: Cluster, relay: Postfix, seconds: float) -> Told:
    with loaded(cluster, relay):
        asking = Asking(cluster, range(NODES))
        with cluster.server.still():
            asking.meanwhile(seconds)
        back = asking.wait_back()
        cluster.wait_for_more(SOME)
        cluster.server.stop(crash=True)
        asking.meanwhile(_CRASHED_SECONDS)
        cluster.server.start()
        back = max(back, asking.wait_back())
        cluster.wait_for_more(SOME)
    return ended(cluster, relay, asking, back)


@contextlib.contextmanager
def loaded(cluster: Cluster, relay: Postfix) -> Iterator[None]:
    """Have all nodes run, and clients send through them."""
    for number in range(NODES):
        cluster.start(number)
    for _ in cluster.tenants:
        cluster.save(0, relay.services["clear"][1])
    with cluster.under_load():
        cluster.wait_for_more(SOME)
        yield


def ended(cluster: Cluster, relay: Postfix, asking: Asking, back: float) -> Told:
    """Wait for the end of all mail, check the account of it, and stop all nodes."""
    cluster.wait_drained(0)
    twice = cluster.account(relay)
    for node in cluster.nodes:
        node.stop()
    return Told(len(cluster.answered), twice, asking.longest, back)


def _cut_in_the_middle(cluster: Cluster, linked: LinkedServer) -> int:
    """Cut a node off that carries something; return which it is."""
    numbers = itertools.cycle(range(NODES))
    carrying: list[int] = []

    def carries_something() -> bool:
        carrying.append(next(numbers))
        return cluster.carried_by(carrying[-1]) > 0

    until(carries_something)
    cluster.still = carrying[-1]
    linked.cut(carrying[-1])
    return carrying[-1]


def _go_on_without(cluster: Cluster, cut: int, others: Sequence[int], *, wait: bool) -> None:
    """Check that the others soon have the mail of the one that is cut off, and take more in."""
    gone = {"node": cluster.name_of(cut)}
    # One of them takes it for all.
    until(
        lambda: any(cluster.nodes[number].events("a node is gone", **gone) for number in others),
        TAKE_OVER_SECONDS,
    )
    cluster.wait_for_more(SOME)
    until(lambda: len(cluster.ask(PRESENT)) == NODES - 1)
    for sql in () if wait else (END_LEASES, SHOW_TURNS):
        cluster.ask(sql)
    until(lambda: cluster.carried_by(cut) == 0)
