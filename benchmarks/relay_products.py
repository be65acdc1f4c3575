"""The two that are measured, each installed from nothing and running: Smarthost, and Postfix.

Both take mail on loopback from who logs in with AUTH PLAIN, have it on the disk before they say
250, log each message to a file, and hand it to the same sink without TLS. Each is as an
administrator would run it who wants it fast and safe.
"""

import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import apsw
import msgspec

from benchmarks.relay_generator import SENDER

_SECONDS = 60.0
_DOMAIN = "example.com"
_POSTFIX_PASSWORD = "Correct-Horse-7"

_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
# Postfix's own daemon writes the log, and counts as a part of it: Smarthost writes one, too.
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
cyrus_sasl_config_path = {folder}/etc/sasl
inet_protocols = ipv4
myhostname = mail.example.com
# Everything goes to the one relay; nothing is local, and no name is looked up on the way.
mydestination =
local_transport = error:nothing is local
mynetworks =
alias_maps =
alias_database =
relayhost = [127.0.0.1]:{relay}
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
# Who has logged in may send, with any address: the least that can be asked.
smtpd_sasl_auth_enable = yes
smtpd_sasl_local_domain = example.com
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions =
# No pause of the door's when mail comes faster than it goes.
in_flow_delay = 0
# Counting clients would cost a question for each session, and bound how many there may be.
smtpd_client_event_limit_exceptions = static:all
# A process serves thousands and not the usual hundred, so that starting them costs nothing.
max_use = 10000
"""
# The rest is as Postfix has it, which is right for this: at most 100 processes of a kind; 5
# connections to the relay at first and up to 20 (5, 10, 50 and 20 at once are no faster), each
# kept for the next message on demand (smtp_connection_cache_on_demand); SMTPUTF8; queue files
# written with fsync.

# Private, unprivileged, chroot, wake-up, most processes: none is in a chroot, since the users'
# database is outside.
_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
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
scache unix - - n - 1 scache
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""
_SASL = """\
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {folder}/users
mech_list: PLAIN
"""


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """One that runs, and how to submit to it."""

    name: str
    pid: int
    """All of its processes descend from this one."""
    port: int
    user_name: str
    password: str
    waiting: Callable[[], int]
    """Tells how many messages it has not done with."""


def missing_for_postfix() -> str:
    """Say what this machine lacks for Postfix; empty if nothing."""
    missing = [program for program in ("postfix", "saslpasswd2") if shutil.which(program) is None]
    if missing:
        return (
            f"Postfix needs {' and '.join(missing)} (Debian: apt-get install postfix sasl2-bin)."
        )
    return "" if os.geteuid() == 0 else "Only root may start Postfix."


@contextmanager
def smarthost(folder: Path, relay: int, processes: int = 1) -> Iterator[Product]:
    """Run Smarthost on an empty data directory; `relay` is the sink's port."""
    port = _free_port()
    data = folder / "data"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "SMARTHOST_DATA_DIR": str(data),
        "SMARTHOST_HTTP_LISTEN": "127.0.0.1:0",
        "SMARTHOST_SUBMISSION_LISTEN": f"127.0.0.1:{port}",
        "SMARTHOST_HELO_NAME": "mail.example.com",
        "SMARTHOST_RELAY_NETWORKS": "any",
    }

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "smarthost", *arguments]
        return subprocess.run(
            command, env=environment, cwd=folder, check=True, capture_output=True, text=True
        ).stdout

    key = json.loads(run("init", "--admin-email", f"admin@{_DOMAIN}", "--json"))["key"]
    relay_options = ("--host", "127.0.0.1", "--port", str(relay), "--sender-address", SENDER)
    run("settings", "save", *relay_options)
    command = [sys.executable, "-m", "smarthost", "serve", "--processes", str(processes)]
    with _running(command, environment, folder) as process:
        _wait_until_taken(port, process, folder)
        yield Product(
            name="Smarthost" if processes == 1 else f"Smarthost in {processes} processes",
            pid=process.pid,
            port=port,
            user_name="benchmark",
            password=key,
            waiting=lambda: _not_sent(data / "smarthost.db"),
        )
        process.terminate()
        process.wait(_SECONDS)


def _not_sent(file: Path) -> int:
    with closing(apsw.Connection(str(file))) as store:
        store.set_busy_timeout(30_000)
        query = "SELECT count(*) FROM recipients WHERE state <> 'sent'"
        return int(str(store.execute(query).fetchall()[0][0]))


@contextmanager
def postfix(folder: Path, relay: int) -> Iterator[Product]:
    """Run Postfix with a queue of its own; `relay` is the sink's port."""
    port = _free_port()
    # Its own user reads and writes here, too.
    folder.chmod(0o755)
    for name in ("etc", "queue", "data", "etc/sasl"):
        (folder / name).mkdir()
    owner = pwd.getpwnam("postfix").pw_uid
    os.chown(folder / "data", owner, -1)
    settings = {"folder": folder, "relay": relay, "port": port}
    for name, text in (("main.cf", _MAIN), ("master.cf", _MASTER), ("sasl/smtpd.conf", _SASL)):
        (folder / "etc" / name).write_text(text.format(**settings))
    users = folder / "users"
    subprocess.run(
        ["saslpasswd2", "-f", str(users), "-c", "-p", "-u", _DOMAIN, "postman"],
        input=_POSTFIX_PASSWORD.encode(),
        check=True,
        timeout=_SECONDS,
    )
    os.chown(users, owner, -1)
    command = ["postfix", "-c", str(folder / "etc")]
    with _running([*command, "start-fg"], dict(os.environ), folder) as process:
        _wait_until_taken(port, process, folder)
        yield Product(
            name="Postfix",
            pid=process.pid,
            port=port,
            user_name=f"postman@{_DOMAIN}",
            password=_POSTFIX_PASSWORD,
            waiting=lambda: _queued(folder / "queue"),
        )
        subprocess.run([*command, "stop"], capture_output=True, timeout=_SECONDS, check=False)
        process.wait(_SECONDS)


def _queued(queue: Path) -> int:
    names = ("maildrop", "incoming", "active", "deferred")
    return sum(path.is_file() for name in names for path in (queue / name).rglob("*"))


@contextmanager
def _running(
    command: Sequence[str], environment: dict[str, str], folder: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    with (folder / "printed").open("wb") as printed:
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(_SECONDS)


def _wait_until_taken(port: int, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    sys.exit(f"{' '.join(map(str, process.args))} does not run:\n{_tail(folder / 'printed')}")  # type: ignore[arg-type]


def _tail(file: Path) -> str:
    return "\n".join(file.read_text(errors="replace").splitlines()[-20:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
