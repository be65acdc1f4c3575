"""How fast settings are read and durably saved, beside a bare echo under the same server.

Prints a table of medians and ratios. The echo and the service take turns within each round, so
that a machine whose speed drifts changes both. Needs wrk (Debian: `apt-get install wrk`).
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.installation import Installation, Made, make_portals, write_targets
from benchmarks.serving import Figures, baseline, load, need_wrk, resident, service, tell
from smarthost.secret import Secret
from smarthost.smtp_settings.model import Draft, SmtpSettings

ROUNDS = 5
SECONDS = 4
CONNECTIONS = 64


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
        installation = Installation(folder=folder / str(size))
        tell(f"Making {size:,} portals with settings …")
        targets = asyncio.run(populate(installation, size))
        with (
            service(installation.environment(), processes) as (ours, process, started),
            baseline("echo") as echo,
        ):
            starts.append(started)
            idle = resident(process)
            for number in range(1, rounds + 1):
                tell(f"{size:,} portals, round {number} of {rounds} …")
                for kind in ("read", "save"):
                    for name, url in (("echo", echo), ("service", ours)):
                        _warm(installation.folder)
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


async def populate(installation: Installation, size: int) -> Path:
    """Make portals with an administrator, a key and settings each; return the list of targets."""
    made: list[Made] = []
    async with installation.open() as parts:
        for first in range(0, size, 500):
            names = [f"p{number}" for number in range(first, min(first + 500, size))]
            made += await make_portals(parts, names, _draft())
    return write_targets(installation, made)


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


def _warm(data: Path) -> None:
    """Have the system's cache hold the database: some virtual machines drop it within seconds."""
    for path in data.glob("smarthost.db*"):
        with path.open("rb") as file:
            while file.read(1 << 20):
                pass


if __name__ == "__main__":
    main()
