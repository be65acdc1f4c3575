"""How fast settings are read and durably saved, beside a bare echo under the same server.

Prints a table of medians and ratios. The echo and the service take turns within each round, so
that a machine whose speed drifts changes both. Needs wrk (Debian: `apt-get install wrk`).
"""

import argparse
import asyncio
import socket
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.serving import Figures, baseline, load, need_wrk, resident, service, tell
from smarthost.app.parts import Parts, open_parts
from smarthost.audit.model import OPERATOR, Actor
from smarthost.config import load_config
from smarthost.database.engine import Transaction
from smarthost.portals.model import Permission, Role
from smarthost.secret import Secret
from smarthost.smtp_settings.model import Draft, SmtpSettings

BASE_DOMAIN = "portals.example"
ROUNDS = 5
SECONDS = 4
CONNECTIONS = 64
_OPERATOR = Actor(name=OPERATOR)


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--portals", type=int, nargs=2, default=(100, 100_000))
    arguments.add_argument("--rounds", type=int, default=ROUNDS)
    arguments.add_argument("--seconds", type=int, default=SECONDS)
    arguments.add_argument("--processes", type=int, default=1, help="that the service runs in")
    given = arguments.parse_args()
    need_wrk()
    with tempfile.TemporaryDirectory(prefix="smarthost-benchmark-") as folder:
        sizes = list(given.portals)
        _run(Path(folder), sizes, given.rounds, given.seconds, given.processes)


def _run(folder: Path, sizes: list[int], rounds: int, seconds: int, processes: int) -> None:
    results: dict[tuple[str, int, str], list[Figures]] = {}
    memory: dict[int, tuple[float, float]] = {}
    starts: list[float] = []
    for size in sizes:
        data = folder / str(size)
        tell(f"Making {size:,} portals with settings …")
        targets = asyncio.run(_populate(data, size))
        with (
            service(_environment(data), processes) as (ours, process, started),
            baseline("echo") as echo,
        ):
            starts.append(started)
            idle = resident(process)
            for number in range(1, rounds + 1):
                tell(f"{size:,} portals, round {number} of {rounds} …")
                for kind in ("read", "save"):
                    for name, url in (("echo", echo), ("service", ours)):
                        _warm(data)
                        figures = load(url, CONNECTIONS, seconds, "load.lua", str(targets), kind)
                        results.setdefault((kind, size, name), []).append(figures)
            if processes == 1:
                memory[size] = (idle, resident(process))
    _report(sizes, results, memory, starts)


def _report(
    sizes: list[int],
    results: dict[tuple[str, int, str], list[Figures]],
    memory: dict[int, tuple[float, float]],
    starts: list[float],
) -> None:
    print("| what | portals | a second | p50 ms | p99 ms | of the bare echo |")
    print("|---|---:|---:|---:|---:|---:|")
    for kind in ("read", "save"):
        for size in sizes:
            figures, echo = results[kind, size, "service"], results[kind, size, "echo"]
            pairs = zip(figures, echo, strict=True)
            ratio = statistics.median(one.per_second / bare.per_second for one, bare in pairs)
            print(_row(f"echo of a {kind}", size, echo, "1"))
            print(_row(kind, size, figures, f"**{ratio:.2f}**"))
    few, many = (
        statistics.median(figures.p99 for figures in results["read", size, "service"])
        for size in sizes
    )
    print(
        f"\np99 of reads with {sizes[1]:,} portals: {many / few:.2f} times that with {sizes[0]:,}."
    )
    print(f"First answer {statistics.median(starts):.2f} s after the start of the process.")
    for size, (idle, loaded) in memory.items():
        print(
            f"Memory with {size:,} portals: {idle:.0f} MiB idle, {loaded:.0f} MiB after the load."
        )


def _row(what: str, portals: int, figures: list[Figures], ratio: str) -> str:
    failed = sum(one.failed for one in figures)
    if failed:
        sys.exit(f"{failed} requests of '{what}' failed: these figures mean nothing.")
    rate = statistics.median(one.per_second for one in figures)
    p50 = statistics.median(one.p50 for one in figures) / 1000
    p99 = statistics.median(one.p99 for one in figures) / 1000
    return f"| {what} | {portals:,} | {rate:,.0f} | {p50:.2f} | {p99:.2f} | {ratio} |"


async def _populate(data: Path, size: int) -> Path:
    """Make portals with an administrator, a key and settings each; return the list of targets."""
    config = load_config(
        _environment(data),
        working_directory=data.parent,
        machine_name=socket.getfqdn,
        stderr_is_terminal=False,
    )
    lines = []
    async with open_parts(config, create=True) as parts:
        for first in range(0, size, 500):
            lines += await _some_portals(parts, range(first, min(first + 500, size)))
    targets = data / "targets"
    targets.write_text("\n".join(lines) + "\n")
    return targets


async def _some_portals(parts: Parts, numbers: range) -> list[str]:
    made = []
    for number in numbers:
        portal = parts.portals.new_portal(f"p{number}")
        user = parts.portals.new_user(portal.id, "admin@example.com", Role.ADMINISTRATOR, None)
        key, token = parts.keys.new_key(user, "bench", frozenset({Permission.ALL}), None)
        made.append((portal, user, key, token))

    async def work(tx: Transaction) -> None:
        for portal, user, key, token in made:
            await parts.portals.insert_portal(tx, portal, _OPERATOR)
            await parts.portals.insert_user(tx, user, _OPERATOR)
            await parts.keys.insert(tx, key, token, _OPERATOR)

    await parts.database.transact(work)
    saves = (parts.settings.save(portal.id, _draft(), _OPERATOR) for portal, *_ in made)
    await asyncio.gather(*saves)
    return [f"{portal.name}.{BASE_DOMAIN} {token.text().reveal()}" for portal, _, _, token in made]


def _draft() -> Draft:
    settings = SmtpSettings(
        host="mail.example.com",
        port=587,
        sender_address="notify@example.com",
        sender_display_name="Postman",
        user_name="notify@example.com",
        enable_ssl=True,
        enable_auth=True,
        use_ntlm=False,
    )
    return Draft(settings=settings, password=Secret("correct horse battery staple"))


def _environment(data: Path) -> dict[str, str]:
    return {
        "SMARTHOST_DATA_DIR": str(data),
        "SMARTHOST_BASE_DOMAIN": BASE_DOMAIN,
        # One user may ask 1,500 times a minute; the counting itself stays on.
        "SMARTHOST_RATE_LIMITS": "off",
    }


def _warm(data: Path) -> None:
    """Have the system's cache hold the database: some virtual machines drop it within seconds."""
    for path in data.glob("smarthost.db*"):
        with path.open("rb") as file:
            while file.read(1 << 20):
                pass


if __name__ == "__main__":
    main()
