"""The real program as a user starts it: a process of its own, with an empty home directory."""

import json
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ADMIN = "admin@example.com"
_PATIENCE = 60.0
# Ctrl-C reaches a program at its controlling terminal, which is the first that the leader of a
# session opens.
_TAKE_TERMINAL = """
import os, sys
os.open(sys.argv[1], os.O_RDWR)
os.execv(sys.argv[2], sys.argv[2:])
"""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)

    def assert_one_line(self, code: int, words: str) -> None:
        """It printed nothing, and one line on standard error that has `words` in it."""
        assert (self.code, self.out) == (code, ""), self.err
        assert words in self.err
        assert self.err.startswith("smarthost: ")
        assert self.err.count("\n") == 1, self.err


@dataclass(frozen=True, kw_only=True)
class Program:
    """`smarthost` on one data directory."""

    folder: Path

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    def __call__(self, *arguments: str, typed: str = "", **environ: str) -> Ended:
        return self._run(self.command(*arguments), typed, self.folder, environ)

    def unprivileged(self, *arguments: str, cwd: str = "", **environ: str) -> Ended:
        """Run a command that has to respect modes, though root may run the tests."""
        under = []
        if os.geteuid() == 0:
            under = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
            tried = subprocess.run([*under, "true"], capture_output=True, timeout=10, check=False)
            if tried.returncode != 0:
                pytest.skip("root may not give up its privileges here")
        folder = Path(cwd) if cwd else self.folder
        return self._run([*under, *self.command(*arguments)], "", folder, environ)

    def _run(self, command: list[str], typed: str, cwd: Path, environ: dict[str, str]) -> Ended:
        done = subprocess.run(
            command,
            env=self.environment(environ),
            cwd=cwd,
            input=typed,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        return Ended(code=done.returncode, out=done.stdout, err=done.stderr)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "smarthost", *arguments]

    def environment(self, environ: dict[str, str]) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "PYTHONWARNINGS": "error",
            "SMARTHOST_DATA_DIR": str(self.data_dir),
            "SMARTHOST_HTTP_LISTEN": "127.0.0.1:0",
            "SMARTHOST_SUBMISSION_LISTEN": "127.0.0.1:0",
            "SMARTHOST_HELO_NAME": "smarthost.example.com",
            "SMARTHOST_RELAY_NETWORKS": "127.0.0.0/8, ::1",
            **environ,
        }

    def init(self, **environ: str) -> str:
        """Make an installation and return the first key."""
        ended = self("init", "--admin-email", ADMIN, "--json", **environ)
        assert ended.code == 0, ended.err
        return str(ended.json()["key"])

    def copy(self, other: "Program") -> None:
        """Have what another one has installed, which takes less time than making it."""
        shutil.copytree(other.data_dir, self.data_dir)

    def at_terminal(
        self,
        *arguments: str,
        answers: tuple[str, ...] = (),
        press: tuple[str, str] | None = None,
        term: str = "dumb",
    ) -> Ended:
        """Run a command at a terminal, and answer each hidden question (it ends in `: `).

        `press` are words to wait for, and keys to press then.
        """
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-c", _TAKE_TERMINAL, os.ttyname(theirs), *self.command(*arguments)],
            env=self.environment({"TERM": term, "COLUMNS": "200"}),
            cwd=self.folder,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        waiting = list(answers)
        seen, told = "", ""
        until = time.monotonic() + _PATIENCE
        try:
            while select.select([ours], [], [], max(0, until - time.monotonic()))[0]:
                try:
                    seen += os.read(ours, 65536).decode()
                except OSError:  # the other end is closed
                    break
                if waiting and seen.endswith(": "):
                    told, seen = told + seen, ""
                    os.write(ours, waiting.pop(0).encode())
                if press is not None and press[0] in seen:
                    os.write(ours, press[1].encode())
                    press = None
            code = process.wait(_PATIENCE)
        finally:
            process.kill()
            process.wait()
            os.close(ours)
        return Ended(code=code, out=(told + seen).replace("\r\n", "\n"), err="")
