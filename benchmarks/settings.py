"""How fast settings are read and durably saved, beside a bare echo under the same server.

Prints a table of medians and ratios. The echo and the service take turns within each round, so
that a machine whose speed drifts changes both. Needs wrk (Debian: `apt-get install wrk`).
"""

import argparse
import asyncio
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from smarthost.app.parts import Parts, open_parts
from smarthost.audit.model import OPERATOR, Actor
from smarthost.config import load_config
from smarthost.database.engine import Transaction
from smarthost.portals.model import Permission, Role
from smarthost.secret import Secret
from smarthost.smtp_settings.model import Draft, SmtpSettings

HERE = Path(__file__).parent
BASE_DOMAIN = "portals.example"
ROUNDS = 5
SECONDS = 4
CONNECTIONS = 64
_DEADLINE_SECONDS = 20.0
_OPERATOR = Actor(name=OPERATOR)


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What wrk counted in one run; times are microseconds."""

    requests: int
    microseconds: int
    failed: int
    p50: int
    p99: int

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.requests * 1e6 / self.microseconds


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--portals", type=int, nargs=2, default=(100, 100_000))
    arguments.add_argument("--rounds", type=int, default=ROUNDS)
    arguments.add_argument("--seconds", type=int, default=SECONDS)
    given = arguments.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("This benchmark needs wrk. Debian has it: apt-get install wrk")
    with tempfile.TemporaryDirectory(prefix="smarthost-benchmark-") as folder:
        _run(Path(folder), list(given.portals), given.rounds, given.seconds)


def _run(folder: Path, sizes: list[int], rounds: int, seconds: int) -> None:
    results: dict[tuple[str, int, str], list[Figures]] = {}
    memory: dict[int, tuple[float, float]] = {}
    starts: list[float] = []
    for size in sizes:
        data = folder / str(size)
        _tell(f"Making {size:,} portals with settings …")
        targets = asyncio.run(_populate(data, size))
        with _service(data) as (service, process, started), _echo_server() as echo:
            starts.append(started)
            idle = _resident(process)
            for number in range(1, rounds + 1):
                _tell(f"{size:,} portals, round {number} of {rounds} …")
                for kind in ("read", "save"):
                    for name, url in (("echo", echo), ("service", service)):
                        _warm(data)
                        figures = _load(url, targets, kind, seconds)
                        results.setdefault((kind, size, name), []).append(figures)
            memory[size] = (idle, _resident(process))
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


@contextmanager
def _service(data: Path) -> Iterator[tuple[str, subprocess.Popen[bytes], float]]:
    port = _free_port()
    environment = {**os.environ, **_environment(data)}
    environment["SMARTHOST_HTTP_LISTEN"] = f"127.0.0.1:{port}"
    command = [sys.executable, "-m", "smarthost", "serve"]
    with _running(command, environment, port) as (url, process, started):
        yield url, process, started


@contextmanager
def _echo_server() -> Iterator[str]:
    port = _free_port()
    command = [sys.executable, str(HERE / "echo.py"), str(port)]
    with _running(command, dict(os.environ), port) as (url, _process, _started):
        yield url


@contextmanager
def _running(
    command: list[str], environment: dict[str, str], port: int
) -> Iterator[tuple[str, subprocess.Popen[bytes], float]]:
    url = f"http://127.0.0.1:{port}"
    begun = time.monotonic()
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield url, process, _first_answer(url, begun)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=_DEADLINE_SECONDS)


def _first_answer(url: str, begun: float) -> float:
    while time.monotonic() - begun < _DEADLINE_SECONDS:
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=1):
                return time.monotonic() - begun
        except OSError:
            time.sleep(0.005)
    sys.exit(f"Nothing answers at {url}.")


def _load(url: str, targets: Path, kind: str, seconds: int) -> Figures:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(HERE / "load.lua")]
    done = subprocess.run(
        [*command, url, "--", str(targets), kind], capture_output=True, text=True, check=True
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("FIGURES "))
    return msgspec.json.decode(line.removeprefix("FIGURES "), type=Figures)


def _warm(data: Path) -> None:
    """Have the system's cache hold the database: some virtual machines drop it within seconds."""
    for path in data.glob("smarthost.db*"):
        with path.open("rb") as file:
            while file.read(1 << 20):
                pass


def _resident(process: subprocess.Popen[bytes]) -> float:
    """Return the process's resident memory in MiB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
