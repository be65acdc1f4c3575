"""What the benchmarks of the service share: processes to measure, and wrk to load them."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

HERE = Path(__file__).parent
_DEADLINE_SECONDS = 20.0


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


def need_wrk() -> None:
    """End the program where wrk is not installed."""
    if shutil.which("wrk") is None:
        sys.exit("This benchmark needs wrk. Debian has it: apt-get install wrk")


def load(url: str, connections: int, seconds: int, script: str, *arguments: str) -> Figures:
    """Load `url` with what a Lua script asks for, which prints its figures."""
    # An answer that takes longer than two seconds is a slow one and no failure.
    options = ("-t1", f"-c{connections}", f"-d{seconds}s", "--timeout=30s")
    command = ["wrk", *options, "-s", str(HERE / script), url]
    done = subprocess.run([*command, "--", *arguments], capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("FIGURES "))
    return msgspec.json.decode(line.removeprefix("FIGURES "), type=Figures)


@contextmanager
def service(
    environment: dict[str, str], processes: int = 1
) -> Iterator[tuple[str, subprocess.Popen[bytes], float]]:
    """Run Smarthost; give its URL, its process, and the seconds to its first answer.

    It takes mail by SMTP at a port of its own choice, where `environment` names none.
    """
    port = free_port()
    listen = {
        "SMARTHOST_HTTP_LISTEN": f"127.0.0.1:{port}",
        "SMARTHOST_SUBMISSION_LISTEN": "127.0.0.1:0",
    }
    environment = {**os.environ, **listen, **environment}
    command = [sys.executable, "-m", "smarthost", "serve", "--processes", str(processes)]
    with _running(command, environment, port) as running:
        yield running


@contextmanager
def baseline(module: str, *arguments: str) -> Iterator[str]:
    """Run a server of this folder, whose last argument is the port; give its URL."""
    port = free_port()
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments, str(port)]
    with _running(command, dict(os.environ), port) as (url, _process, _started):
        yield url


@contextmanager
def telling_port(module: str, *arguments: str) -> Iterator[int]:
    """Run a program of this folder, whose first line is the port that it has chosen; give that."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.terminate()


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


def resident(process: subprocess.Popen[bytes], *, most: bool = False) -> float:
    """Return the process's resident memory in MiB, now or the most that it ever had."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    name = "VmHWM:" if most else "VmRSS:"
    line = next(line for line in status.splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def tell(line: str) -> None:
    """Say how far it is, apart from the figures."""
    print(line, file=sys.stderr, flush=True)


def free_port() -> int:
    """Return a port that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def closed_port() -> int:
    """Return a port that nobody listens on: a relay that is away."""
    return free_port()
