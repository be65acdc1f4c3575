"""nginx with the configuration that the deployment guide hands out, in front of the service."""

import contextlib
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path

import pytest
import trustme

from smarthost.web.emails.family import LARGEST_BODY
from tests.cli.program import ADMIN, Program
from tests.contract.service import EMAILS, SETTINGS, Reply
from tests.journeys.live import watch_a_check
from tests.journeys.proxy import FORGED, Proxy, free_port, rewritten, running_nginx
from tests.journeys.served import PATIENCE, Served, serving

pytestmark = pytest.mark.needs("nginx")

ROOT = Path(__file__).parents[2]
HOST = "smarthost.example.com"
# Another address of the loopback than the proxy's own.
CLIENT = "127.0.0.9"
AROUND = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 256; }}
http {{
    log_format told escape=json '$request';
    access_log {folder}/access.log told;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxied;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {servers}
}}
"""


@dataclass(frozen=True, kw_only=True)
class Line:
    """nginx with TLS, the service behind it, and who trusts its certificate."""

    proxy: Proxy
    clear_port: int
    service: Served
    authority: Path
    key: str
    program: Program

    def connect(self) -> HTTPSConnection:
        return HTTPSConnection(
            "127.0.0.1",
            self.proxy.port,
            timeout=PATIENCE,
            source_address=(CLIENT, 0),
            context=ssl.create_default_context(cafile=str(self.authority)),
        )

    def ask(self, path: str, **headers: str) -> Reply:
        given = {"Host": HOST, "Authorization": self.key}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        with contextlib.closing(self.connect()) as connection:
            connection.request("GET", path, headers=given)
            response = connection.getresponse()
            return Reply(status=response.status, headers=response.msg, body=response.read())


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    folder = tmp_path_factory.mktemp("nginx")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    program = Program(folder=folder)
    key = program.init()
    port, clear_port = free_port(), free_port()
    with serving(program, SMARTHOST_TRUSTED_NETWORKS="127.0.0.1/32, ::1/128") as service:
        servers = _servers(folder, authority, port, clear_port, service.port)
        inside = folder / "n"
        text = AROUND.format(folder=inside, servers=servers)
        with running_nginx(inside, text, port) as proxy:
            yield Line(
                proxy=proxy,
                clear_port=clear_port,
                service=service,
                authority=folder / "ca.pem",
                key=key,
                program=program,
            )


def _servers(folder: Path, authority: trustme.CA, port: int, clear: int, service: int) -> str:
    """Return the configuration with nothing but its addresses and files changed."""
    certificate = authority.issue_cert(HOST, "127.0.0.1")
    chain, key = folder / "chain.pem", folder / "key.pem"
    certificate.private_key_pem.write_to_path(str(key))
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(str(chain), append=True)
    text = (ROOT / "deploy" / "nginx" / "smarthost.conf").read_text(encoding="utf-8")
    live = f"/etc/letsencrypt/live/{HOST}"
    pairs = (
        ("listen 80;", f"listen 127.0.0.1:{clear};"),
        ("listen [::]:80;", ""),
        ("listen 443 ssl http2;", f"listen 127.0.0.1:{port} ssl http2;"),
        ("listen [::]:443 ssl http2;", ""),
        ("server 127.0.0.1:8025;", f"server 127.0.0.1:{service};"),
        (f"{live}/fullchain.pem", str(chain)),
        (f"{live}/privkey.pem", str(key)),
    )
    return rewritten(text, pairs)


def test_the_service_believes_the_proxy_and_not_the_client(line: Line) -> None:
    read = line.ask(SETTINGS, **FORGED)
    assert read.json()["links"][0]["href"] == f"https://{HOST}{SETTINGS}"
    assert read.headers["Strict-Transport-Security"] == "max-age=31536000"
    asked = line.service.wait_for("request", request_id=read.headers["X-Request-Id"])
    assert (asked["client"], asked["host"]) == (CLIENT, HOST)


def test_somebody_signs_in_on_the_page(line: Line) -> None:
    """What the browser shows is what Smarthost takes the page's address for."""
    link = line.program("user", "link", ADMIN, "--url", f"https://{HOST}").out.strip()
    path, _, token = link.removeprefix(f"https://{HOST}").partition("?")
    headers = {
        "Host": HOST,
        "Origin": f"https://{HOST}",
        "Sec-Fetch-Site": "same-origin",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    with contextlib.closing(line.connect()) as connection:
        connection.request("POST", path, token.encode(), headers)
        response = connection.getresponse()
        assert (response.status, response.headers["Location"]) == (303, "/")
        assert response.headers["Set-Cookie"].endswith("; HttpOnly; SameSite=Strict; Secure")


@pytest.mark.parametrize(
    "path",
    [
        "/metrics",
        "/metrics?name=x",
        "//metrics",
        "/%6detrics",
        "/./metrics",
        "/healthz/../metrics",
        "/%2e/metrics",
    ],
)
def test_metrics_are_not_for_those_outside(line: Line, path: str) -> None:
    read = line.ask(path)
    assert read.status == 404
    # nginx's own words: the service was not asked.
    assert "X-Request-Id" not in read.headers
    assert b"nginx" in read.body


def test_who_comes_without_tls_is_sent_to_it_with_method_and_path(line: Line) -> None:
    with contextlib.closing(HTTPConnection("127.0.0.1", line.clear_port, timeout=PATIENCE)) as one:
        one.request("POST", f"{EMAILS}?a=b", b"{}", {"Host": HOST})
        response = one.getresponse()
        assert response.status == 308
        assert response.headers["Location"] == f"https://{HOST}{EMAILS}?a=b"


def test_the_largest_body_that_the_service_takes_is_let_through(line: Line) -> None:
    assert first_line(line, LARGEST_BODY) == b"HTTP/1.1 100 Continue"
    assert first_line(line, LARGEST_BODY + 1).startswith(b"HTTP/1.1 413 ")


def first_line(line: Line, octets: int) -> bytes:
    """Return the first line of the answer to the head of a request with such a body."""
    with contextlib.closing(line.connect()) as connection:
        connection.connect()
        head = f"POST {EMAILS} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {octets}\r\n"
        connection.sock.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        first: bytes = connection.sock.recv(4096).split(b"\r\n")[0]
        return first


@pytest.mark.needs("curl")
def test_http_2_is_spoken_with_clients(line: Line) -> None:
    done = subprocess.run(
        [
            *("curl", "--silent", "--http2", "--cacert", str(line.authority)),
            *("--output", "/dev/null", "--write-out", "%{http_version} %{http_code}"),
            f"https://127.0.0.1:{line.proxy.port}/readyz",
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert done.stdout == "2 200"


def test_a_check_is_watched_live(line: Line) -> None:
    watch_a_check(line.connect(), {"Host": HOST, "Authorization": line.key})
