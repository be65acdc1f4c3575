"""`kill -9` while settings are saved and restored, 200 times: all that was answered 200 is there.

A save that was not answered may be there or not, whole. The clients keep a ledger of the answers
in another process than the one that is killed.
"""

import contextlib
import json
import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.cli.program import Program
from tests.contract.bodies import LOGIN
from tests.contract.service import BASE_DOMAIN, SETTINGS
from tests.journeys.application import Tenant, open_tenants
from tests.journeys.served import Served, serving, started

KILLS = 200
SIDE_BY_SIDE = 2
CLIENTS_OF_A_PORTAL = 2
WITH_PORTALS = {"SMARTHOST_BASE_DOMAIN": BASE_DOMAIN, "SMARTHOST_LOG_LEVEL": "info"}


@dataclass(frozen=True, kw_only=True)
class Saver(Tenant):
    """A portal, and the sender of each revision that was answered 200."""

    answered: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Installation:
    program: Program
    tenants: Sequence[Saver]
    refused: list[tuple[int, bytes]] = field(default_factory=list)


@pytest.mark.long
def test_after_200_kills_every_save_that_was_answered_is_there(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    folders = [tmp_path / f"{number}" for number in range(SIDE_BY_SIDE)]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as threads:
        sides = [
            threads.submit(_kill_often, _installation(folder), random.Random(seed + number))
            for number, folder in enumerate(folders)
        ]
        saves = sum(side.result() for side in sides)
    assert saves > KILLS


def _installation(folder: Path) -> Installation:
    folder.mkdir()
    program = Program(folder=folder)
    opened = open_tenants(program, "acme", "zenith", **WITH_PORTALS)
    tenants = [Saver(name=tenant.name, key=tenant.key) for tenant in opened]
    return Installation(program=program, tenants=tenants)


def _kill_often(installation: Installation, chance: random.Random) -> int:
    """Return the number of saves that were answered."""
    for number in range(KILLS // SIDE_BY_SIDE):
        if number % 10 == 9:
            _kill_a_start(installation.program, chance.uniform(0.1, 0.5))
        with started(installation.program, **WITH_PORTALS) as service:
            _read_all(installation, service)
            _save_until_killed(installation, service, f"r{number}", chance.uniform(0.02, 0.25))
    with serving(installation.program, **WITH_PORTALS) as service:
        _read_all(installation, service)
    _read_store(installation)
    checked = installation.program("doctor", "--json", **WITH_PORTALS)
    assert checked.code == 0, checked.out
    assert installation.refused == []
    return sum(len(tenant.answered) for tenant in installation.tenants)


def _kill_a_start(program: Program, seconds: float) -> None:
    with started(program, **WITH_PORTALS) as service:
        time.sleep(seconds)
        service.kill()


def _save_until_killed(
    installation: Installation, service: Served, mark: str, seconds: float
) -> None:
    clients = [
        threading.Thread(
            target=_save, args=(tenant, service.port, f"{mark}c{number}", installation.refused)
        )
        for tenant in installation.tenants
        for number in range(CLIENTS_OF_A_PORTAL)
    ]
    for client in clients:
        client.start()
    time.sleep(seconds)
    service.kill()
    for client in clients:
        client.join(30)
        assert not client.is_alive()


def _save(tenant: Saver, port: int, mark: str, refused: list[tuple[int, bytes]]) -> None:
    """Save one sender after another until the service is gone; each fourth time go back to one."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    headers = {
        "Host": tenant.host,
        "Authorization": tenant.key,
        "Content-Type": "application/json",
    }
    revision = 0
    with contextlib.closing(connection), contextlib.suppress(HTTPException, ConnectionError):
        for number in range(1_000_000):
            if number % 4 == 3:
                sender = tenant.answered[revision]
                connection.request("POST", f"{SETTINGS}/history/{revision}/restore", "", headers)
            else:
                sender = f"{mark}n{number}@example.com"
                # Sealed anew each time, for a destination of its own.
                body = {**LOGIN, "senderAddress": sender, "port": 1 + number % 65_535}
                connection.request("POST", SETTINGS, json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                refused.append((answer.status, text))
                return
            saved = int((answer.headers["ETag"] or "").strip('"'))
            tenant.answered[saved] = sender
            if number % 4 == 1:
                revision = saved


def _read_all(installation: Installation, service: Served) -> None:
    """Each portal's settings are the last that were answered, or newer ones."""
    for tenant in installation.tenants:
        read = service.client(tenant.key).ask("GET", SETTINGS, Host=tenant.host)
        assert read.status == 200, read.body
        revision = int(read.headers["ETag"].strip('"'))
        assert revision >= max(tenant.answered, default=0), f"{tenant.name} lost saves"
        if revision in tenant.answered:
            assert read.json()["response"]["senderAddress"] == tenant.answered[revision]


def _read_store(installation: Installation) -> None:
    """Every answered save has its row and its audit row, and the file is whole."""
    file = installation.program.data_dir / "smarthost.db"
    with contextlib.closing(apsw.Connection(str(file))) as store:
        assert store.pragma("integrity_check") == "ok"
        assert store.execute("PRAGMA foreign_key_check").fetchall() == []
        for tenant in installation.tenants:
            rows: list[Any] = store.execute(
                "SELECT revision, sender_address FROM smtp_settings_revisions"
                " JOIN portals ON portals.id = portal_id WHERE name = ? ORDER BY revision",
                (tenant.name,),
            ).fetchall()
            audited = store.execute(
                # What is in force already is restored without a revision of its own.
                "SELECT count(DISTINCT subject), max(CAST(subject AS INTEGER)) FROM audit_events"
                " JOIN portals ON portals.id = portal_id WHERE name = ?"
                " AND action IN ('settings.saved', 'settings.restored')",
                (tenant.name,),
            ).fetchall()
            restored = store.execute(
                "SELECT count(*) FROM smtp_settings_revisions"
                " JOIN portals ON portals.id = portal_id WHERE name = ? AND action = 'restore'",
                (tenant.name,),
            ).fetchall()
            assert restored > [(0,)]
            assert [row[0] for row in rows] == list(range(1, len(rows) + 1)), "no gap"
            assert audited == [(len(rows), len(rows))]
            assert tenant.answered.items() <= dict(rows).items()
            assert max(tenant.answered) <= len(rows)
