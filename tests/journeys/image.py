"""What the Dockerfile says, and a root file system of its files to start it in, without Docker.

The system below is this machine's: its /usr, and Python where that is elsewhere. On top stands
what the last stage adds. Everything is read-only but the volumes, there is not even a /tmp, and
whoever runs has the image's user, no capabilities and no way to new privileges.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_PATIENCE = 120.0
_OF_THE_SYSTEM = ("usr", "bin", "lib", "lib64", "sbin", "etc/ssl", "etc/hosts", "proc", "dev")

# In a mount namespace of its own, so that nothing of it is left behind. `$1` is the new root, `$2`
# the folder with the volumes in it, `$3` the packages; what follows is of the system, and behind
# `--` comes the command.
_ENTER = """
set -eu
root=$1 volumes=$2 packages=$3
shift 3
mount --bind "$root" "$root"
while [ "$1" != -- ]; do
    if [ -d "/$1" ]; then
        mkdir -p "$root/$1"
    else
        mkdir -p "$(dirname "$root/$1")" && : >"$root/$1"
    fi
    mount --rbind "/$1" "$root/$1"
    shift
done
shift
mount --bind "$packages" "$root/opt/packages"
mount --bind "$volumes" "$root/var/lib"
for read_only in "" /usr /opt/packages; do
    mount -o remount,bind,ro "$root$read_only"
done
exec chroot "$root" "$@"
"""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What the last stage of the Dockerfile says."""

    environment: dict[str, str]
    folder: str
    user: str
    volumes: list[str]
    ports: list[int]
    labels: dict[str, str]
    stop_signal: str
    health: list[str]
    command: list[str]
    copied: list[tuple[str, str]]
    """Files of the repository, and where in the image they end."""


def instructions() -> list[list[tuple[str, str]]]:
    """Return the Dockerfile's instructions (name and rest), stage by stage."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    stages: list[list[tuple[str, str]]] = []
    for line in filter(str.strip, text.splitlines()):
        name, _, rest = line.partition(" ")
        if name == "FROM":
            stages.append([])
        stages[-1].append((name, rest.strip()))
    return stages


def last_stage() -> Stage:
    """Read the last stage; an instruction of a form that is not known here fails."""
    last = instructions()[-1]
    said = {name: rest for name, rest in last if name not in ("RUN", "COPY")}
    options, _, check = said["HEALTHCHECK"].partition("CMD ")
    assert "--timeout=" in options
    copies = [shlex.split(rest) for name, rest in last if name == "COPY"]
    return Stage(
        environment=_pairs(said["ENV"]),
        folder=said["WORKDIR"],
        user=said["USER"],
        volumes=json.loads(said["VOLUME"]),
        ports=[int(port) for port in said["EXPOSE"].split()],
        labels=_pairs(said["LABEL"]),
        stop_signal=said["STOPSIGNAL"],
        health=json.loads(check),
        command=json.loads(said["ENTRYPOINT"]) + json.loads(said["CMD"]),
        copied=[(words[0], words[1]) for words in copies if not words[0].startswith("--from")],
    )


def _pairs(text: str) -> dict[str, str]:
    return dict(word.split("=", 1) for word in shlex.split(text))


class Image:
    """The files of the last stage below `folder`, and what starts a command in them."""

    def __init__(self, folder: Path) -> None:
        """Build a wheel from what the Dockerfile copies, and lay it out as it says.

        Leaves the test out where this process may not mount.
        """
        tried = ["unshare", "--mount", "mount", "--bind", str(folder), str(folder)]
        if subprocess.run(tried, capture_output=True, timeout=10, check=False).returncode != 0:
            pytest.skip("only root may lay out a file system, and not everywhere")
        self.stage = last_stage()
        self._user, self._group = self.stage.user.split(":")
        self._root, self._volumes = folder / "root", folder / "volumes"
        for made in (self.stage.folder, "/var/lib", "/opt/packages"):
            self._below(made).mkdir(parents=True)
        self._install(folder)
        for name in self.stage.volumes:
            volume = self._volumes / Path(name).relative_to("/var/lib")
            volume.mkdir(parents=True, mode=0o700)
            os.chown(volume, int(self._user), int(self._group))

    def command(self, *command: str, **environ: str) -> list[str]:
        """Return what runs `command` in the image."""
        given = self.stage.environment | environ
        given["PATH"] = given["PATH"].replace("$PATH", "/usr/bin:/bin")
        return [
            *("unshare", "--mount", "--propagation", "private"),
            *("sh", "-c", _ENTER, "sh"),
            *(str(self._root), str(self._volumes), sysconfig.get_path("purelib")),
            *_OF_THE_SYSTEM,
            sys.base_prefix.removeprefix("/"),
            "--",
            *("setpriv", f"--reuid={self._user}", f"--regid={self._group}", "--clear-groups"),
            *("--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"),
            *("env", "-i", "-C", self.stage.folder),
            *(f"{name}={value}" for name, value in given.items()),
            *command,
        ]

    def run(self, *command: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        """Run a command in the image to its end."""
        return subprocess.run(
            self.command(*command, **environ),
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )

    def put(self, path: str, content: bytes) -> str:
        """Put a file there that the image's user alone may read, and return its path."""
        file = self._below(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(0o400)
        os.chown(file, int(self._user), int(self._group))
        return path

    def _below(self, path: str) -> Path:
        return self._root / path.removeprefix("/")

    def _install(self, folder: Path) -> None:
        """Do what deploy/venv does, but with the packages that the tests run with."""
        home = self._below("/opt/smarthost")
        venv.create(home, symlinks=True)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
        wheels = ["--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
        _run([*pip, "wheel", *wheels, str(_context(folder / "context"))])
        (wheel,) = folder.glob("*.whl")
        python = str(home / "bin" / "python")
        _run([*pip, "--python", python, "install", "--no-index", "--no-deps", str(wheel)])
        program = home / "bin" / "smarthost"
        # As if it had been made where it is going to stand.
        program.write_text(program.read_text().replace(str(home), "/opt/smarthost"))
        (packages,) = home.glob("lib/python*/site-packages")
        (packages / "packages.pth").write_text("/opt/packages\n")
        for source, target in self.stage.copied:
            shutil.copy(ROOT / source, self._below(target))


def _context(folder: Path) -> Path:
    """Copy what the stage that builds copies, and no more, as Docker does."""
    (build,) = [
        stage for stage in instructions() if ("RUN", "deploy/venv /opt/smarthost") in stage
    ]
    for words in (rest.split() for name, rest in build if name == "COPY"):
        target = folder / words[-1]
        for source in (ROOT / word for word in words[:-1]):
            if source.is_dir():  # Docker copies what is in it
                unwanted = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, target, ignore=unwanted, dirs_exist_ok=True)
            else:
                target.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)
    return folder


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
