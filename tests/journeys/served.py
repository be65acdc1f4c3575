"""`smarthost serve` as an operator runs it: a process of its own, watched by its log.

Nothing here sleeps and hopes: whoever waits, waits for a line of the log or for the end of the
process, and at most a minute.
"""

import contextlib
import json
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from typing import IO, Any, Protocol
from urllib.parse import urlsplit

from tests.cli.program import Program
from tests.contract.process import Process

PATIENCE = 60.0
LOUD = {"SMARTHOST_RATE_LIMITS": "off", "SMARTHOST_LOG_LEVEL": "debug"}
"""Limits would refuse what tests ask, and the log tells everything."""


class Running(Protocol):
    """What is used of `subprocess.Popen`."""

    pid: int

    @property
    def stdout(self) -> IO[str] | None: ...

    @property
    def stderr(self) -> IO[str] | None: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, sig: int, /) -> None: ...

    def kill(self) -> None: ...


class Served:
    """A service that was started; its log and what it prints are read as they come."""

    def __init__(self, process: Running) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self.printed: list[str] = []
        self.log: list[str] = []
        self._news = threading.Condition()
        self._pipes = 2
        self._readers = [
            threading.Thread(target=self._read, args=pair, daemon=True)
            for pair in ((process.stdout, self.printed), (process.stderr, self.log))
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def port(self) -> int:
        """The port; waits until the service serves."""
        port = urlsplit(self.wait_for("serving")["url"]).port
        assert isinstance(port, int)
        return port

    @property
    def smtp_port(self) -> int:
        """The port for submission; waits until the service serves."""
        return int(self.wait_for("serving")["smtp"].rpartition(":")[2])

    @property
    def smtps_port(self) -> int:
        """The port for submission with TLS from the first octet."""
        return int(self.wait_for("serving")["smtps"].rpartition(":")[2])

    def client(self, key: str) -> Process:
        """Return what asks this service with `key`; waits until the service serves."""
        return Process(pid=self.pid, port=self.port, key=key)

    def events(self, name: str, **fields: object) -> list[dict[str, Any]]:
        """Return the lines of the log, so far, that tell of `name` with these fields."""
        wanted = {"event": name, **fields}
        lines = map(_fields, list(self.log))
        return [line for line in lines if all(line.get(key) == wanted[key] for key in wanted)]

    def wait_for(self, name: str, **fields: object) -> dict[str, Any]:
        """Return the first such line, once it is there."""
        with self._news:
            self._news.wait_for(lambda: not self._pipes or self.events(name, **fields), PATIENCE)
        found = self.events(name, **fields)
        assert found, f"no {name!r} with {fields} in the log: {self.log}"
        return found[0]

    def wait_many(self, many: int, name: str, **fields: object) -> dict[str, Any]:
        """Return the last of so many such lines, once they are there."""
        with self._news:
            self._news.wait_for(
                lambda: not self._pipes or len(self.events(name, **fields)) >= many, PATIENCE
            )
        found = self.events(name, **fields)
        assert len(found) >= many, f"less than {many} {name!r} in the log: {self.log}"
        return found[many - 1]

    def wait_printed(self, words: str) -> list[str]:
        """Return what is on standard output, once a line there has `words` in it."""
        with self._news:
            self._news.wait_for(lambda: not self._pipes or self._has_printed(words), PATIENCE)
        assert self._has_printed(words), f"no {words!r} in what was printed: {self.printed}"
        return list(self.printed)

    def _has_printed(self, words: str) -> bool:
        return any(words in line for line in list(self.printed))

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ended(self) -> int:
        """Wait for the end and return the exit code; the log is whole then."""
        code = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
            assert not reader.is_alive()
        return code

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the service in order, which is to leave nothing else to tell."""
        self.send(number)
        code = self.ended()
        assert code == 0, self.log
        assert _fields(self.log[-1]).get("event") == "stopped"
        assert all(map(_fields, self.log)), "each line of the log is JSON"
        assert "Traceback" not in "".join(self.log), "\n".join(self.log)

    def kill(self) -> None:
        """End the process as a power cut would, without a word."""
        self.send(signal.SIGKILL)
        assert self.ended() == -signal.SIGKILL

    def _read(self, pipe: IO[str], lines: list[str]) -> None:
        with pipe:
            for line in pipe:
                with self._news:
                    lines.append(line.rstrip("\n"))
                    self._news.notify_all()
        with self._news:
            self._pipes -= 1
            self._news.notify_all()


@contextlib.contextmanager
def started(
    program: Program, *arguments: str, under: Sequence[str] = (), **environ: str
) -> Iterator[Served]:
    """Start `serve`, perhaps `under` another program; it has ended at the end, one way or other.

    Rate limits are off and the log tells everything, if `environ` does not say otherwise.
    """
    process = subprocess.Popen(
        [*under, *program.command("serve", *arguments)],
        env=program.environment(LOUD | environ),
        cwd=program.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with watched(process) as service:
        yield service


@contextlib.contextmanager
def watched(process: Running) -> Iterator[Served]:
    """Watch a service; it has ended at the end."""
    service = Served(process)
    try:
        yield service
    finally:
        if process.poll() is None:
            process.kill()
        service.ended()


@contextlib.contextmanager
def serving(
    program: Program, *arguments: str, under: Sequence[str] = (), **environ: str
) -> Iterator[Served]:
    """Run `serve`, and stop it in order at the end if the test has not done so."""
    with started(program, *arguments, under=under, **environ) as service:
        service.wait_for("serving")
        yield service
        if service.process.poll() is None:
            service.stop()


def _fields(line: str) -> dict[str, Any]:
    """Return what a line of the log tells, nothing where it is no JSON."""
    try:
        fields: dict[str, Any] = json.loads(line)
    except ValueError:
        return {}
    return fields
