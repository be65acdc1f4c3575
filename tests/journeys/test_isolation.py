"""One portal's dead relay and long queue are nobody else's business, nor the next start's.

How long things take is measured by benchmarks/queue.py; here it is what happens.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.cli.program import Program
from tests.contract.service import BASE_DOMAIN
from tests.journeys.application import Application, Tenant, open_tenants
from tests.journeys.reconciled import assert_ledger_closes, rows
from tests.journeys.served import Served, serving
from tests.journeys.sink import dead_port, running_sink, until

BACKLOG = 20_000
SENDS = 200
START_SECONDS = 5.0
_AT_ONCE = 4
_ATTEMPTS = """
SELECT count(*) FROM attempts JOIN portals ON portals.id = portal_id WHERE name = ?"""
_WAITING = """
SELECT count(*) FROM recipients JOIN portals ON portals.id = portal_id
WHERE name = ? AND state = 'queued'"""
_MOST_TRIES = 16  # connections that are open when the first of them fails


@pytest.fixture
def tenants(program: Program) -> dict[str, Tenant]:
    return {tenant.name: tenant for tenant in open_tenants(program, "noisy", "quiet")}


def _application(service: Served, tenant: Tenant) -> Application:
    return Application(process=service.client(tenant.key), host=tenant.host)


@contextmanager
def _serving(program: Program) -> Iterator[Served]:
    environ = {"SMARTHOST_BASE_DOMAIN": BASE_DOMAIN, "SMARTHOST_LOG_LEVEL": "info"}
    with serving(program, **environ) as service:
        yield service


def _flood(application: Application) -> None:
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        floods = [
            threads.submit(application.send_many, BACKLOG // _AT_ONCE) for _ in range(_AT_ONCE)
        ]
        for flood in floods:
            flood.result()


def test_a_portal_with_a_long_queue_and_a_dead_relay_delays_nobody_and_no_start(
    program: Program, tenants: dict[str, Tenant]
) -> None:
    def count(query: str, name: str) -> int:
        return int(rows(program.data_dir, query, name)[0][0])

    with running_sink() as sink:
        with dead_port() as port, _serving(program) as service:
            noisy = _application(service, tenants["noisy"])
            quiet = _application(service, tenants["quiet"])
            noisy.save(port, "noisy@example.com")
            quiet.save(sink.port, "quiet@example.com")
            _flood(noisy)
            until(lambda: noisy.health()["state"] == "held")
            until(lambda: count(_WAITING, "noisy") == BACKLOG)
            for number in range(1, SENDS + 1):
                quiet.send()
                assert len(sink.wait_for(number)) == number
            until(lambda: count(_ATTEMPTS, "quiet") == SENDS)
            assert count(_WAITING, "noisy") == BACKLOG
            assert 1 <= count(_ATTEMPTS, "noisy") <= _MOST_TRIES, "it was tried, and held"
            assert noisy.health()["queued"] == BACKLOG
            assert_ledger_closes(program.data_dir)
            quiet_later = quiet.send(scheduled_at="in 1 minute")
            service.kill()
        # What begins with a long queue delivers at once: the relay's that is back, too.
        with running_sink(port=port) as back:
            began = time.monotonic()
            with _serving(program) as service:
                back.wait_for(1, START_SECONDS)
                quiet = _application(service, tenants["quiet"])
                quiet.send()
                sink.wait_for(SENDS + 1, START_SECONDS)
                assert time.monotonic() - began < 2 * START_SECONDS
                assert quiet.event(quiet_later) == "scheduled"
    assert_ledger_closes(program.data_dir)
