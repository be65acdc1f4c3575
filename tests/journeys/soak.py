"""`make soak`, its second half: the service is killed 1,000 times while it accepts and delivers.

An upgrade of the first store is killed at every statement, on both engines. Then nodes on one
PostgreSQL are killed, and cut off from it, 100 times; for a minute the network of one of them is
cut, and for another their server stands still; and their server is lost, and replaced by its
standby, ten times there and back. It stops at the first account that does not close;
the seed of a service's kills is the last one told.
"""

import argparse
import random
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from servers.postgresql import find_binaries
from tests.database.dying import kill_upgrades
from tests.engines import stop_server
from tests.journeys.cluster import cluster_in, kill_stop_and_cut_off
from tests.journeys.failover import lose_at_once, lose_servers, lose_silently
from tests.journeys.killing import Account, kill_often
from tests.journeys.outages import (
    cut_one_off_apart,
    relay_of_nodes,
    stop_a_server_of_its_own,
)

KILLS = 1_000
KILLS_OF_NODES = 100
OUTAGE_SECONDS = 60.0
FAILOVERS = 20
_OF_ONE_INSTALLATION = 50
_SIDE_BY_SIDE = 2


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.journeys.soak")
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--kills-of-nodes", type=int, default=KILLS_OF_NODES)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--outage-seconds", type=float, default=OUTAGE_SECONDS)
    parser.add_argument("--failovers", type=int, default=FAILOVERS)
    asked = parser.parse_args()
    if asked.kills:
        _kill_services(asked.kills, asked.seed)
    _kill_upgrades()
    if asked.kills_of_nodes:
        _with_server("nodes", partial(_kill_nodes, asked.kills_of_nodes))
    if asked.outage_seconds:
        _with_server("a cut network", partial(_cut_network, asked.outage_seconds))
        _with_server("a server that stands still", partial(_stop_server, asked.outage_seconds))
    if asked.failovers:
        _with_server("failovers", partial(_lose_servers, asked.failovers))


def _kill_upgrades() -> None:
    try:
        for engine in ("sqlite", *(("postgresql",) if find_binaries() else ())):
            with tempfile.TemporaryDirectory(prefix="smarthost-soak-") as folder:
                kills = kill_upgrades(engine, Path(folder), every=1)
            print(f"{kills} kills of upgrades on {engine}: every row is there", flush=True)
    finally:
        stop_server()


def _kill_services(kills: int, seed: int) -> None:
    seeds = range(seed, seed + kills // _OF_ONE_INSTALLATION)
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as threads:
        accounts = list(threads.map(_killed, seeds))
    killed, accepted, submitted, duplicates = (
        sum(numbers)
        for numbers in zip(
            *((one.kills, one.accepted, one.submitted, one.duplicates) for one in accounts),
            strict=True,
        )
    )
    told = f"{accepted} e-mails accepted, {submitted} of them by SMTP"
    print(f"{killed} kills, {told}, 0 lost, {duplicates} twice", flush=True)


def _with_server(name: str, journey: Callable[[], str]) -> None:
    """Tell what comes of a journey that needs PostgreSQL, Postfix and perhaps more."""
    if find_binaries() is None:
        print(f"{name} left out: PostgreSQL is not installed", flush=True)
        return
    try:
        print(journey(), flush=True)
    except pytest.skip.Exception as reason:
        print(f"{name} left out: {reason}", flush=True)
    finally:
        stop_server()


def _kill_nodes(kills: int) -> str:
    with (
        tempfile.TemporaryDirectory(prefix="smarthost-soak-") as folder,
        relay_of_nodes() as relay,
        cluster_in(Path(folder)) as cluster,
    ):
        twice = kill_stop_and_cut_off(cluster, relay, kills, wait=True)
        accepted = len(cluster.answered)
    told = f"{accepted} e-mails accepted, 0 lost, {twice} twice and marked"
    return f"{kills} kills of nodes and of their sessions: {told}"


def _cut_network(seconds: float) -> str:
    with tempfile.TemporaryDirectory(prefix="smarthost-soak-") as folder:
        told = cut_one_off_apart(Path(folder), seconds, wait=True)
    return f"a node cut off for {seconds} s: {told}"


def _stop_server(seconds: float) -> str:
    with tempfile.TemporaryDirectory(prefix="smarthost-soak-") as folder:
        told = stop_a_server_of_its_own(Path(folder), seconds)
    return f"a server that stood still for {seconds} s, and crashed: {told}"


def _lose_servers(times: int) -> str:
    losses = [(lose_silently, lose_at_once)[number % 2] for number in range(times)]
    with tempfile.TemporaryDirectory(prefix="smarthost-soak-") as folder:
        told = lose_servers(Path(folder), losses, wait=True)
    return f"{times} losses of the server: {told}"


def _killed(seed: int) -> Account:
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="smarthost-soak-") as folder:
        account = kill_often(Path(folder) / "one", _OF_ONE_INSTALLATION, seed)
    print(f"seed {seed}: {account}", flush=True)
    return account


if __name__ == "__main__":
    main()
