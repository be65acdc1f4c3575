"""HAProxy with the configuration that is handed out, in front of two nodes on one PostgreSQL."""

import contextlib
import errno
import json
import smtplib
import socket
import ssl
import subprocess
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.cli.program import ADMIN, Program
from tests.contract.service import EMAILS, SETTINGS, Reply
from tests.engines import make_database, server
from tests.journeys.application import email
from tests.journeys.cluster import ENDED
from tests.journeys.live import watch_a_check
from tests.journeys.proxy import FORGED, free_port, rewritten
from tests.journeys.served import PATIENCE, Served, started
from tests.journeys.sink import Sink, running_sink, until

pytestmark = pytest.mark.needs("postgres", "haproxy")

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "haproxy" / "haproxy.cfg"
HOST = "smarthost.example.com"
# Another address of the loopback than the proxy's own.
CLIENT = "127.0.0.9"
# In place of a second and ten, so that nobody waits for them.
CHECKED, DRAINED = "inter 50ms", "1"
# In place of five seconds.
ABANDONED = "timeout client-fin 1s"
CLIENTS = 3
MOST_OF_ONE = 50


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Where one node listens, or the proxy."""

    http: int = field(default_factory=free_port)
    smtp: int = field(default_factory=free_port)
    smtps: int = field(default_factory=free_port)


@dataclass(kw_only=True)
class Line:
    """Two nodes, the proxy, and who trusts their certificate."""

    programs: tuple[Program, Program]
    places: tuple[Ports, Ports]
    proxy: Ports
    clear_port: int
    key: str
    authority: Path
    environ: dict[str, str]
    stack: contextlib.ExitStack
    nodes: list[Served] = field(default_factory=list)

    def start(self, number: int, **environ: str) -> None:
        """Start a node where it was before."""
        place = self.places[number]
        given = {
            **self.environ,
            "SMARTHOST_HTTP_LISTEN": f"127.0.0.1:{place.http}",
            "SMARTHOST_SUBMISSION_LISTEN": f"127.0.0.1:{place.smtp}",
            "SMARTHOST_SUBMISSION_TLS_LISTEN": f"127.0.0.1:{place.smtps}",
            **environ,
        }
        service = self.stack.enter_context(started(self.programs[number], **given))
        self.nodes[number : number + 1] = [service]

    def ask_database(self, sql: str) -> list[Any]:
        url = self.environ["SMARTHOST_DATABASE_URL"]
        return server().run_sql(sql, database=url.partition("@/")[2].partition("?")[0])

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authority))

    def connect(self) -> HTTPSConnection:
        return HTTPSConnection(
            "127.0.0.1",
            self.proxy.http,
            timeout=PATIENCE,
            source_address=(CLIENT, 0),
            context=self.context(),
        )

    def ask(self, path: str, **headers: str) -> Reply:
        given = {"Host": HOST, "Authorization": self.key}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        with contextlib.closing(self.connect()) as connection:
            connection.request("GET", path, headers=given)
            response = connection.getresponse()
            return Reply(status=response.status, headers=response.msg, body=response.read())

    def send(self, subject: str, connection: HTTPConnection) -> int:
        """Send an e-mail; return the status of the answer, 0 without one."""
        headers = {
            "Host": HOST,
            "Authorization": self.key,
            "Content-Type": "application/json",
            "Idempotency-Key": subject,
        }
        try:
            connection.request("POST", EMAILS, json.dumps(email(subject=subject)), headers)
            answer = connection.getresponse()
            answer.read()
        except (HTTPException, OSError):
            connection.close()
            return 0
        return answer.status

    def log_in(self, client: str, key: str) -> int:
        """Log in by SMTP from that address, once; return the code of the answer."""
        message = b64encode(b"\0app\0" + key.encode()).decode()
        with smtplib.SMTP(
            "127.0.0.1", self.proxy.smtp, timeout=PATIENCE, source_address=(client, 0)
        ) as smtp:
            smtp.starttls(context=self.context())
            smtp.ehlo()
            return smtp.docmd("AUTH", f"PLAIN {message}")[0]

    def submit(self, subject: str) -> bool:
        """Submit an e-mail by SMTP; return whether it was taken."""
        try:
            with smtplib.SMTP("127.0.0.1", self.proxy.smtp, timeout=PATIENCE) as smtp:
                smtp.starttls(context=self.context())
                smtp.login("anybody", self.key)
                content = f"From: {ADMIN}\r\nSubject: {subject}\r\n\r\nIt works.\r\n"
                smtp.sendmail(ADMIN, "jane@example.net", content)
        except (smtplib.SMTPException, OSError):
            return False
        return True


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    folder = tmp_path_factory.mktemp("haproxy")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    certificate = authority.issue_cert(HOST, "127.0.0.1")
    chain = folder / "fullchain.pem"
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(str(chain), append=True)
    key = Path(f"{chain}.key")
    certificate.private_key_pem.write_to_path(str(key))
    key.chmod(0o600)
    environ = {
        "SMARTHOST_DATABASE_URL": make_database(folder),
        "SMARTHOST_KEYRING_FILE": str(folder / "keyring.json"),
        "SMARTHOST_TRUSTED_NETWORKS": "127.0.0.1/32",
        "SMARTHOST_SUBMISSION_PROXY_NETWORKS": "127.0.0.1/32",
        "SMARTHOST_TLS_CERTIFICATE_FILE": str(chain),
        "SMARTHOST_TLS_KEY_FILE": str(key),
        "SMARTHOST_HTTP_TLS": "off",
        "SMARTHOST_DRAIN_SECONDS": DRAINED,
    }
    one, two = (Program(folder=folder / name) for name in ("one", "two"))
    one.folder.mkdir()
    two.folder.mkdir()
    with contextlib.ExitStack() as stack:
        line = Line(
            programs=(one, two),
            places=(Ports(), Ports()),
            proxy=Ports(),
            clear_port=free_port(),
            key=one.init(**environ),
            authority=folder / "ca.pem",
            environ=environ,
            stack=stack,
        )
        line.start(0)
        line.start(1)
        for node in line.nodes:
            node.wait_for("serving")
        stack.enter_context(_haproxy(folder, line, chain))
        yield line


@contextlib.contextmanager
def _haproxy(folder: Path, line: Line, chain: Path) -> Iterator[None]:
    """Run HAProxy with nothing of its configuration changed but addresses, files and pace."""
    text = CONFIGURATION.read_text(encoding="utf-8")
    replaced = [
        ("bind :80\n", f"bind 127.0.0.1:{line.clear_port}\n"),
        ("bind :443 ", f"bind 127.0.0.1:{line.proxy.http} "),
        ("bind :587\n", f"bind 127.0.0.1:{line.proxy.smtp}\n"),
        ("bind :465\n", f"bind 127.0.0.1:{line.proxy.smtps}\n"),
        ("/etc/haproxy/tls/fullchain.pem", str(chain)),
        ("inter 1s", CHECKED),
        ("timeout client-fin 5s", ABANDONED),
    ]
    for number, place in enumerate(line.places, 11):
        node = f"172.30.26.{number}"
        replaced += [
            (f" {node}:8025", f" 127.0.0.1:{place.http}"),
            (f" {node}:2525", f" 127.0.0.1:{place.smtp}"),
            (f" {node}:4650", f" 127.0.0.1:{place.smtps}"),
        ]
    configuration = folder / "haproxy.cfg"
    configuration.write_text(rewritten(text, replaced), encoding="utf-8")
    command = ["haproxy", "-db", "-f", str(configuration)]
    with (
        (folder / "haproxy.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            _wait_until_taken(line.proxy.http, process, folder / "haproxy.log")
            yield
        finally:
            process.kill()


def _wait_until_taken(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    stop_at = time.monotonic() + PATIENCE
    while time.monotonic() < stop_at:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.02)
    raise AssertionError("HAProxy takes no connections")


def test_the_nodes_believe_the_proxy_and_not_the_client(line: Line) -> None:
    read = line.ask(SETTINGS, **FORGED)
    assert read.json()["links"][0]["href"] == f"https://{HOST}{SETTINGS}"
    assert read.headers["Strict-Transport-Security"] == "max-age=31536000"
    given = {"request_id": read.headers["X-Request-Id"]}
    until(lambda: any(node.events("request", **given) for node in line.nodes))
    (asked,) = [one for node in line.nodes for one in node.events("request", **given)]
    assert (asked["client"], asked["host"]) == (CLIENT, HOST)


@pytest.mark.parametrize("path", ["/metrics", "/metrics?name=x", "//metrics", "/%6detrics/"])
def test_metrics_are_not_for_those_outside(line: Line, path: str) -> None:
    read = line.ask(path)
    assert read.status == 404
    # The proxy's own words: no node was asked.
    assert "X-Request-Id" not in read.headers


def test_who_comes_without_tls_is_sent_to_it_with_method_and_path(line: Line) -> None:
    with contextlib.closing(HTTPConnection("127.0.0.1", line.clear_port, timeout=PATIENCE)) as one:
        one.request("POST", f"{EMAILS}?a=b", b"{}", {"Host": HOST})
        response = one.getresponse()
        assert response.status == 308
        assert response.headers["Location"] == f"https://{HOST}{EMAILS}?a=b"


def test_a_check_is_watched_live(line: Line) -> None:
    watch_a_check(line.connect(), {"Host": HOST, "Authorization": line.key})


def test_mail_comes_with_tls_from_the_first_octet_too(line: Line) -> None:
    with smtplib.SMTP_SSL(
        "127.0.0.1", line.proxy.smtps, timeout=PATIENCE, context=line.context()
    ) as smtp:
        assert smtp.login("anybody", line.key)[0] == 235


def test_one_client_does_not_hold_all_of_the_proxy(line: Line) -> None:
    greedy, honest = "127.0.0.2", "127.0.0.3"
    with contextlib.ExitStack() as stack:
        many = [_connected(line.proxy.smtp, greedy, stack) for _ in range(MOST_OF_ONE + 1)]
        greeted = [one for one in many if _is_greeted(one)]
        assert len(greeted) == MOST_OF_ONE
        # Both doors are one.
        assert not _said(_connected(line.proxy.smtps, greedy, stack))
        assert _is_greeted(_connected(line.proxy.smtp, honest, stack))
        for one in greeted:  # who is not closed here, so what is let go is let go by the proxy
            one.sendall(b"QUIT\r\n")
            assert _said(one).startswith(b"221 ")
            assert not _said(one)
        until(lambda: _is_greeted(_connected(line.proxy.smtp, greedy, stack)))


def test_nodes_are_stopped_and_killed_and_nothing_is_lost(line: Line) -> None:
    with running_sink() as sink:
        _save(line, sink, "before")
        load = Load(line)
        with load.running():
            for number in (0, 1):  # as they are upgraded
                load.wait_for_more(20)
                line.nodes[number].stop()
                load.wait_for_more(20)
                line.start(number)
                line.nodes[number].wait_for("one of the nodes that deliver")
                _wait_until_asked(line, number)
            assert load.failed == 0, "of what is stopped in order nobody notices anything"
            line.nodes[0].kill()
            load.wait_for_more(20)
            line.start(0)
            _wait_until_asked(line, 0)
            _save(line, sink, "after")
            load.wait_for_more(20)
        # Two sessions of HTTP at each node at the most, and one of SMTP, were under way.
        assert load.failed <= CLIENTS + 1
        assert {row[0] for row in line.ask_database(ENDED)} == load.taken
        for place in line.places:
            direct = HTTPConnection("127.0.0.1", place.http, timeout=PATIENCE)
            with contextlib.closing(direct):
                direct.request("GET", SETTINGS, headers={"Authorization": line.key})
                read = json.load(direct.getresponse())["response"]
                assert read["senderDisplayName"] == "after"


def test_of_two_clients_one_is_locked_out_and_the_other_gets_in(line: Line) -> None:
    guessing, honest = "127.0.0.2", "127.0.0.3"
    for node in line.nodes:
        node.kill()
    line.start(0, SMARTHOST_RATE_LIMITS="on")
    (node, _) = line.nodes
    with contextlib.ExitStack() as stack:  # until the proxy has found it
        until(lambda: _is_greeted(_connected(line.proxy.smtp, honest, stack)))
    # Five may pass, and it may become another minute meanwhile.
    assert 421 in (line.log_in(guessing, "sh_wrong") for _ in range(12))
    assert line.log_in(honest, "sh_wrong") == 535
    assert line.log_in(honest, line.key) == 235
    node.wait_for("login refused", client=honest)
    refused = [entry["client"] for entry in node.events("login refused")]
    assert refused == [guessing] * (len(refused) - 1) + [honest]


class Load:
    """Clients that send through the proxy, over HTTP and by SMTP, until each e-mail is taken."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._ending = threading.Event()
        self.taken: set[str] = set()
        self.failed = 0

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        clients = [threading.Thread(target=self._send, args=(mark,)) for mark in range(CLIENTS)]
        clients.append(threading.Thread(target=self._submit))
        for client in clients:
            client.start()
        try:
            yield
        finally:
            self._ending.set()
            for client in clients:
                client.join(PATIENCE)
                assert not client.is_alive()

    def wait_for_more(self, count: int) -> None:
        many = len(self.taken) + count
        until(lambda: len(self.taken) >= many)

    def _send(self, mark: int) -> None:
        with contextlib.closing(self._line.connect()) as connection:
            self._bring_many(f"h{mark}", lambda one: self._line.send(one, connection) == 200)

    def _submit(self) -> None:
        self._bring_many("s", self._line.submit)

    def _bring_many(self, mark: str, bring: Callable[[str], bool]) -> None:
        number = 0
        # So many as keep something under way at each moment, and not the machine busy.
        while not self._ending.wait(0.01):
            while not bring(f"{mark}n{number}"):
                self.failed += 1
            self.taken.add(f"{mark}n{number}")
            number += 1


def _connected(port: int, source: str, stack: contextlib.ExitStack) -> socket.socket:
    """Connect; who is turned away at once has a socket where nothing more comes."""
    client = stack.enter_context(socket.socket())
    client.settimeout(PATIENCE)
    client.bind((source, 0))
    with contextlib.suppress(ConnectionResetError):
        client.connect(("127.0.0.1", port))
    return client


def _is_greeted(client: socket.socket) -> bool:
    return _said(client).startswith(b"220 ")


def _said(client: socket.socket) -> bytes:
    """Return what is said next, nothing at the end."""
    try:
        return client.recv(1_000)
    except OSError as error:
        if error.errno not in (errno.ECONNRESET, errno.ENOTCONN):
            raise
        return b""


def _save(line: Line, sink: Sink, name: str) -> None:
    """Save settings through the proxy."""
    body = {"host": "localhost", "port": sink.port, "senderAddress": ADMIN}
    headers = {"Host": HOST, "Authorization": line.key, "Content-Type": "application/json"}
    with contextlib.closing(line.connect()) as connection:
        connection.request(
            "POST", SETTINGS, json.dumps(body | {"senderDisplayName": name}), headers
        )
        assert connection.getresponse().status == 200


def _wait_until_asked(line: Line, number: int) -> None:
    """Wait until the proxy hands requests to that node."""
    until(lambda: bool(line.nodes[number].events("request", method="POST", status=200)))
