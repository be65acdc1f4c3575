"""A real Postfix with Cyrus SASL, as a provider would run it: one master, a service for each case.

It has its own configuration, queue and users, listens on loopback alone and delivers into one
folder. The master wants root; nothing of the machine's own Postfix is used but its programs.
"""

import contextlib
import os
import pwd
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path

import pytest

from tests.smtp.relays import TLS_PORT

USER_NAME = "postman"
PASSWORD = "Correct-Horse-7"
DOMAIN = "example.com"
MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "SCRAM-SHA-1", "NTLM")

_PATIENCE = 60.0
# What a server on the way adds on top (RFC 5321, section 4.4), and Postfix's `virtual`.
_ON_TOP = re.compile(
    rb"(?:(?:Return-Path|X-Original-To|Delivered-To|Received):[^\n]*\n(?:[ \t][^\n]*\n)*)+"
)
_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
cyrus_sasl_config_path = {folder}/etc/sasl
inet_protocols = ipv4
myhostname = mail.{domain}
mydestination =
mynetworks =
alias_maps =
smtpd_peername_lookup = no
smtpd_sasl_local_domain = {domain}
smtpd_tls_received_header = yes
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {folder}
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
"""
# Private, unprivileged, chroot, wake-up, most processes: none is in a chroot, since the users'
# database is outside.
_MASTER = """\
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n - 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n - 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
smtp unix - - n - - smtp
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True, kw_only=True)
class Postfix:
    """A Postfix that runs. `services` has the address and port of each."""

    folder: Path
    services: Mapping[str, tuple[str, int]]

    def delivered(self) -> EmailMessage:
        """Wait for the next message and take it out of the folder."""
        message = BytesParser(policy=default).parsebytes(self.delivered_octets())
        assert isinstance(message, EmailMessage)
        return message

    def delivered_octets(self) -> bytes:
        """Return the next message as it lies in the mailbox, with LF at the end of each line."""
        until = time.monotonic() + _PATIENCE
        while not (found := list((self.folder / "inbox/new").glob("*"))):
            assert time.monotonic() < until, self.log
            time.sleep(0.02)
        assert len(found) == 1
        octets = found[0].read_bytes()
        found[0].unlink()
        return octets

    def delivered_to(self, *addresses: str) -> dict[str, bytes]:
        """Wait for one message to each of these and no other; return their octets."""
        until = time.monotonic() + _PATIENCE
        found: dict[str, bytes] = {}
        while len(found) < len(addresses):
            assert time.monotonic() < until, self.log
            time.sleep(0.02)
            for message in (self.folder / "inbox/new").glob("*"):
                octets = message.read_bytes()
                message.unlink()
                to = octets.partition(b"\nDelivered-To: ")[2].partition(b"\n")[0].decode()
                assert to not in found
                found[to] = octets
        assert set(found) == set(addresses)
        return found

    def is_idle(self) -> bool:
        """Whether nothing is in its queue."""
        line = ("postqueue", "-c", str(self.folder / "etc"), "-j")
        done = subprocess.run(line, capture_output=True, timeout=_PATIENCE, check=True)
        return not done.stdout

    def forget(self) -> None:
        """Throw away what an earlier test has left."""
        for message in (self.folder / "inbox").glob("new/*"):
            message.unlink()

    def login(self, message: EmailMessage) -> tuple[str, str]:
        """Return mechanism and user name that a delivered message came with."""
        queue_id = re.search(r"\bid (\w+)", str(message["Received"]))
        assert queue_id is not None
        line = rf"{queue_id[1]}: client=.*, sasl_method=([\w-]+), sasl_username=(\S+)"
        until = time.monotonic() + _PATIENCE
        while (found := re.search(line, self.log)) is None:
            assert time.monotonic() < until, self.log
            time.sleep(0.02)
        return found[1], found[2]

    @property
    def log(self) -> str:
        """What Postfix tells, for a test that fails."""
        return (self.folder / "log").read_text(encoding="utf-8")


def without_trace(octets: bytes) -> bytes:
    """Return a delivered message without the lines on top that servers on the way have added."""
    return _ON_TOP.sub(b"", octets, count=1)


@contextlib.contextmanager
def folder_for_postfix() -> Iterator[Path]:
    """Give a folder that Postfix's own user can reach; those that pytest makes are closed."""
    if os.geteuid() != 0:
        pytest.skip("only root may start Postfix")
    with tempfile.TemporaryDirectory(prefix="smarthost-postfix-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextlib.contextmanager
def postfix(
    folder: Path,
    tls_address: str,
    services: Mapping[str, Mapping[str, str]],
    main: Mapping[str, str] = {},
) -> Iterator[Postfix]:
    """Run Postfix with a service for each of `services`, which are settings of `smtpd`.

    `main` are settings of all of it. The one with `smtpd_tls_wrappermode` listens on `TLS_PORT` of
    `tls_address`, the others on 127.0.0.1.
    """
    with contextlib.ExitStack() as held:
        # All are held until the last is known; Postfix cannot tell which port it took.
        taken: dict[str, tuple[str, int]] = {}
        for name, options in services.items():
            implicit = "smtpd_tls_wrappermode" in options
            asked = (tls_address, TLS_PORT) if implicit else ("127.0.0.1", 0)
            taken[name] = held.enter_context(socket.create_server(asked)).getsockname()
    running = Postfix(folder=folder, services=taken)
    _configure(running, services, main)
    _add_user(folder)
    with (folder / "printed").open("wb") as printed:
        process = subprocess.Popen(
            ["postfix", "-c", str(folder / "etc"), "start-fg"],
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
    try:
        for where in taken.values():
            _wait_until_taken(running, where, process)
        yield running
    finally:
        _end(folder, process)


def _configure(
    running: Postfix, services: Mapping[str, Mapping[str, str]], settings: Mapping[str, str]
) -> None:
    folder = running.folder
    nobody = pwd.getpwnam("nobody")
    for name in ("etc", "queue", "data", "inbox", "etc/sasl"):
        (folder / name).mkdir()
    os.chown(folder / "data", pwd.getpwnam("postfix").pw_uid, -1)
    os.chown(folder / "inbox", nobody.pw_uid, nobody.pw_gid)
    main = _MAIN.format(folder=folder, domain=DOMAIN, uid=nobody.pw_uid, gid=nobody.pw_gid)
    main += "".join(f"{key} = {value}\n" for key, value in settings.items())
    (folder / "etc/main.cf").write_text(main, encoding="utf-8")
    master = [_MASTER]
    for name, options in services.items():
        address, port = running.services[name]
        master.append(f"{address}:{port} inet n - n - - smtpd\n")
        master += [f"  -o {{ {key} = {value} }}\n" for key, value in options.items()]
    (folder / "etc/master.cf").write_text("".join(master), encoding="utf-8")
    # Debian's Postfix reads etc/sasl wherever `cyrus_sasl_config_path` points.
    for mechanism in MECHANISMS:
        _offer(folder, mechanism, [mechanism])
    _offer(folder, "any", MECHANISMS)


def _offer(folder: Path, name: str, mechanisms: Sequence[str]) -> None:
    """Write the file that `smtpd_sasl_path` names."""
    text = (
        "pwcheck_method: auxprop\n"
        "auxprop_plugin: sasldb\n"
        f"sasldb_path: {folder}/users\n"
        f"mech_list: {' '.join(mechanisms)}\n"
    )
    (folder / "etc/sasl" / f"{name}.conf").write_text(text, encoding="utf-8")


def _add_user(folder: Path) -> None:
    users = folder / "users"
    subprocess.run(
        ["saslpasswd2", "-f", str(users), "-c", "-p", "-u", DOMAIN, USER_NAME],
        input=PASSWORD.encode(),
        check=True,
        capture_output=True,
        timeout=_PATIENCE,
    )
    os.chown(users, pwd.getpwnam("postfix").pw_uid, -1)


def _wait_until_taken(
    running: Postfix, where: tuple[str, int], process: "subprocess.Popen[bytes]"
) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        assert process.poll() is None, (running.folder / "printed").read_text(encoding="utf-8")
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(where, timeout=1).close()
            return
        time.sleep(0.05)
    raise AssertionError(f"Postfix takes no connections: {running.log}")


def _end(folder: Path, process: "subprocess.Popen[bytes]") -> None:
    """Let Postfix end its own processes: what was started is a script in front of the master."""
    stop = ["postfix", "-c", str(folder / "etc"), "stop"]
    subprocess.run(stop, capture_output=True, timeout=_PATIENCE, check=False)
    try:
        process.wait(_PATIENCE)
    finally:
        process.kill()
