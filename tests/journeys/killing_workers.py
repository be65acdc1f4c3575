"""`kill -9` of one worker after the other, while the others go on and clients come back.

The account is that of `killing.py`. A client whose worker has died connects again at once, as
programs do, and asks again what nobody answered.
"""

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

from tests.journeys.killing import (
    INFO,
    Account,
    Killing,
    Ledger,
    account_of,
    installed,
    send_the_rest,
)
from tests.journeys.reconciled import assert_ledger_closes
from tests.journeys.served import PATIENCE, Served, serving

_AT_ONCE = 50
"""Requests that a client sends before it looks whether all is over."""


def kill_workers(folder: Path, processes: int, kills: int, seed: int) -> Account:
    """Kill the workers of an installation of its own in turn, so often in all."""
    chance = random.Random(seed)
    with (
        installed(folder, chance) as killing,
        serving(killing.program, "--processes", str(processes), **INFO) as service,
    ):
        with _clients(killing, service):
            for number in range(kills):
                worker, times = number % processes + 1, number // processes + 1
                pid = service.wait_many(times, "worker serves", worker=worker)["pid"]
                time.sleep(chance.uniform(0.05, 0.3))
                os.kill(pid, signal.SIGKILL)
                service.wait_many(number + 1, "worker ended by itself", signal="SIGKILL")
                _assert_answered(service)
                assert_ledger_closes(killing.program.data_dir)
            for worker in range(1, processes + 1):
                service.wait_many(kills // processes + 1, "worker serves", worker=worker)
        held = send_the_rest(killing, service)
        service.stop()
        return account_of(killing, kills, held)


def _assert_answered(service: Served) -> None:
    """Those that are left take a new connection at once."""
    connection = HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.request("GET", "/readyz")
        assert connection.getresponse().status == 200


@contextlib.contextmanager
def _clients(killing: Killing, service: Served) -> Iterator[None]:
    over = threading.Event()

    def come_back(ledger: Ledger) -> None:
        while not over.is_set():
            ledger.door(ledger, killing.key, service, _AT_ONCE)

    began = time.monotonic()
    clients = [threading.Thread(target=come_back, args=(one,)) for one in killing.ledgers]
    for client in clients:
        client.start()
    try:
        yield
    finally:
        over.set()
        for client in clients:
            client.join(PATIENCE)
        killing.seconds += time.monotonic() - began
    assert not any(client.is_alive() for client in clients)
