"""Behind nginx: whom the service believes, and that two never disagree where a request ends."""

import contextlib
import json
import socket
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.cli.program import Program
from tests.contract.service import BASE_DOMAIN, SETTINGS, Reply
from tests.journeys.proxy import Proxy, nginx
from tests.journeys.served import PATIENCE, Served, serving

pytestmark = pytest.mark.needs("nginx")

TRUST = {"SMARTHOST_TRUSTED_NETWORKS": "127.0.0.1/32"}
# Another address of the loopback than the proxy's own.
CLIENT = "127.0.0.9"
FORGED = {
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Proto": "ftp",
    "X-Forwarded-Host": "evil.example",
    "Forwarded": "for=203.0.113.7;host=evil.example;proto=http",
    "X-Real-IP": "203.0.113.7",
}


def ask(
    port: int, path: str, headers: Mapping[str, str], method: str = "GET", body: bytes = b""
) -> Reply:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE, source_address=(CLIENT, 0))
    with contextlib.closing(connection):
        connection.request(method, path, body or None, dict(headers))
        response = connection.getresponse()
        return Reply(status=response.status, headers=response.msg, body=response.read())


def test_what_a_trusted_proxy_says_is_believed(program: Program, key: str) -> None:
    with serving(program, **TRUST) as service, nginx(program.folder / "n", service.port) as proxy:
        shown = {"Host": "mail.example.com:8443", "Authorization": key} | FORGED
        read = ask(proxy.port, f"{SETTINGS}?a=b", shown)
        assert ask(proxy.port, "/nothing", shown).status == 404

    assert read.status == 200
    (link,) = read.json()["links"]
    assert link["href"] == f"https://mail.example.com:8443{SETTINGS}?a=b"
    asked = service.events("request")
    assert [(one["client"], one["host"]) for one in asked] == [
        (CLIENT, "mail.example.com:8443")
    ] * 2


def test_without_trust_nothing_is_believed(program: Program, key: str) -> None:
    with serving(program) as service, nginx(program.folder / "n", service.port) as proxy:
        shown = {"Host": "mail.example.com", "Authorization": key} | FORGED
        read = ask(proxy.port, SETTINGS, shown)
        direct = ask(service.port, SETTINGS, {"Host": "x.test", "Authorization": key} | FORGED)
        for port in (proxy.port, service.port):
            assert ask(port, "/nothing", FORGED).status == 404

    assert read.json()["links"][0]["href"] == f"http://backend.internal{SETTINGS}"
    assert direct.json()["links"][0]["href"] == f"http://x.test{SETTINGS}"
    assert [one["client"] for one in service.events("request")] == ["127.0.0.1", CLIENT] * 2
    told = service.events("X-Forwarded headers not believed", level="warning")
    assert [one["peer"] for one in told] == ["127.0.0.1", CLIENT]


def test_the_portal_is_the_one_that_the_client_named(program: Program) -> None:
    environ = {"SMARTHOST_BASE_DOMAIN": BASE_DOMAIN}
    key = program.init(**environ)
    with serving(program, **TRUST, **environ) as service:
        with nginx(program.folder / "n", service.port) as proxy:
            for host, status in {
                f"default.{BASE_DOMAIN}": 200,
                f"DEFAULT.{BASE_DOMAIN}.:443": 200,
                f"acme.{BASE_DOMAIN}": 404,
                "backend.internal": 404,
            }.items():
                shown = {"Host": host, "Authorization": key, "X-Forwarded-Host": "x.example"}
                assert ask(proxy.port, SETTINGS, shown).status == status, host
        # Nobody but the proxy may say so.
        forged = {"X-Forwarded-Host": f"default.{BASE_DOMAIN}", "Authorization": key}
        assert ask(service.port, SETTINGS, {"Host": "x.example"} | forged).status == 404


def test_sign_in_failures_are_counted_by_the_client_not_by_the_proxy(
    program: Program, key: str
) -> None:
    body = json.dumps({"userName": "nobody@example.com", "password": "wrong"}).encode()
    shown = {"Host": "x", "Content-Type": "application/json"}
    with serving(program, **TRUST) as service, nginx(program.folder / "n", service.port) as proxy:
        path = "/api/2.0/authentication"
        statuses = []
        for number in range(8):
            forged = {"X-Forwarded-For": f"203.0.113.{number}"}
            statuses.append(ask(proxy.port, path, shown | forged, "POST", body).status)
    assert statuses[:5] == [401] * 5
    assert statuses[-1] == 429


# --- T32: what ends a request. Each shape hides another request in it, or tries to.

HOST = "Host: x\r\n"
HIDDEN = f"GET /hidden HTTP/1.1\r\n{HOST}\r\n"
LENGTH = f"Content-Length: {len(HIDDEN)}\r\n"
TOO_LONG = f"Content-Length: {len(HIDDEN) + 5}\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"
LAST = "0\r\n\r\n"
POST = f"POST /outer HTTP/1.1\r\n{HOST}"


SHAPES = {
    "length and chunks": f"{POST}{TOO_LONG}{CHUNKED}\r\n{LAST}{HIDDEN}",
    "chunks and length": f"{POST}{CHUNKED}{TOO_LONG}\r\n{LAST}{HIDDEN}",
    "length 0 and chunks": f"{POST}Content-Length: 0\r\n{CHUNKED}\r\n{LAST}{HIDDEN}",
    "two lengths": f"{POST}Content-Length: 0\r\n{LENGTH}\r\n{HIDDEN}",
    "two lengths the other way": f"{POST}{LENGTH}Content-Length: 0\r\n\r\n{HIDDEN}",
    "a list of lengths": f"{POST}Content-Length: 0, {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "length with a sign": f"{POST}Content-Length: +{len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "length below nothing": f"{POST}Content-Length: -1\r\n\r\n{HIDDEN}",
    "length in hexadecimal": f"{POST}Content-Length: 0x{len(HIDDEN):x}\r\n\r\n{HIDDEN}",
    "length with a blank in it": f"{POST}Content-Length: 0 {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "a blank before the colon": f"{POST}Content-Length : {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "a length folded": f"{POST}Content-Length:\r\n {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "a length named with an underscore": f"{POST}Content_Length: {len(HIDDEN)}\r\n\r\n{HIDDEN}",
    "length on a GET": f"GET /outer HTTP/1.1\r\n{HOST}{LENGTH}\r\n{HIDDEN}",
    "chunks on a GET": f"GET /outer HTTP/1.1\r\n{HOST}{CHUNKED}\r\n{LAST}{HIDDEN}",
    "chunked before the colon": f"{POST}Transfer-Encoding : chunked\r\n{LENGTH}\r\n{LAST}{HIDDEN}",
    "chunked with a tab": f"{POST}Transfer-Encoding:\tchunked\r\n\r\n{LAST}{HIDDEN}",
    "chunked with a vertical tab": f"{POST}Transfer-Encoding: \x0bchunked\r\n\r\n{LAST}{HIDDEN}",
    "chunked in capitals": f"{POST}Transfer-Encoding: CHUNKED\r\n\r\n{LAST}{HIDDEN}",
    "chunked twice": f"{POST}{CHUNKED}{CHUNKED}\r\n{LAST}{HIDDEN}",
    "chunked and identity": f"{POST}Transfer-Encoding: chunked, identity\r\n\r\n{LAST}{HIDDEN}",
    "gzip and chunked": f"{POST}Transfer-Encoding: gzip, chunked\r\n\r\n{LAST}{HIDDEN}",
    "xchunked": f"{POST}Transfer-Encoding: xchunked\r\n{LENGTH}\r\n{HIDDEN}",
    "chunked folded": f"{POST}Transfer-Encoding:\r\n chunked\r\n{LENGTH}\r\n{LAST}{HIDDEN}",
    "chunked in 1.0": f"POST /outer HTTP/1.0\r\n{HOST}{CHUNKED}{LENGTH}\r\n{LAST}{HIDDEN}",
    "chunk size too large": f"{POST}{CHUNKED}\r\nffffffffffffffff0\r\n{HIDDEN}",
    "chunk size with 0x": f"{POST}{CHUNKED}\r\n0x0\r\n\r\n{HIDDEN}",
    "chunk size with a sign": f"{POST}{CHUNKED}\r\n-0\r\n\r\n{HIDDEN}",
    "chunk extension with LF": f"{POST}{CHUNKED}\r\n1;a\nb\r\nx\r\n{LAST}{HIDDEN}",
    "chunk ended by LF": f"{POST}{CHUNKED}\r\n1\nx\n0\n\n{HIDDEN}",
    "chunk without an end": f"{POST}{CHUNKED}\r\n1\r\nxx\r\n{LAST}{HIDDEN}",
    "a request in the trailer": f"{POST}{CHUNKED}\r\n0\r\nX: y\r\n{HIDDEN}\r\n{HIDDEN}",
    "head ended by LF": f"{POST.replace(chr(13), '')}{LENGTH.replace(chr(13), '')}\n{HIDDEN}",
    "a bare CR in a field": f"{POST}X: y\rContent-Length: 0\r\n{LENGTH}\r\n{HIDDEN}",
    "a NUL in a field": f"{POST}X: y\0z\r\n{LENGTH}\r\n{HIDDEN}",
    "a line before the request": f"\r\n\r\n{POST}{LENGTH}\r\n{HIDDEN}",
    "a request in the target": "GET /outer%20HTTP/1.1%0d%0aHost:%20x%0d%0a%0d%0aGET%20/hidden"
    f" HTTP/1.1\r\n{HOST}\r\n",
    "HTTP/0.9": "GET /outer\r\n" + HIDDEN,
    "an upgrade": f"GET /outer HTTP/1.1\r\n{HOST}Connection: Upgrade, HTTP2-Settings\r\n"
    f"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n{LENGTH}\r\n{HIDDEN}",
    "an expectation": f"{POST}Expect: 100-continue\r\n{LENGTH}\r\n{HIDDEN}",
    "an odd expectation": f"{POST}Expect: 100-continue, x\r\n{LENGTH}\r\n{HIDDEN}",
    "length named in Connection": f"{POST}Connection: Content-Length\r\n{LENGTH}\r\n{HIDDEN}",
    "a body cut short": f"{POST}{TOO_LONG}\r\n{HIDDEN}",
}


class Line:
    """A proxy in front of a service, and what each of the two has been asked."""

    def __init__(self, service: Served, proxy: Proxy, key: str) -> None:
        self.service, self.proxy, self.key = service, proxy, key
        self.honest = 0

    def send(self, octets: bytes) -> bytes:
        """Send raw octets, and read until the proxy closes."""
        with socket.create_connection(("127.0.0.1", self.proxy.port), timeout=2) as connection:
            connection.sendall(octets)
            connection.shutdown(socket.SHUT_WR)
            parts = []
            with contextlib.suppress(ConnectionError, TimeoutError):
                while part := connection.recv(65_536):
                    parts.append(part)
            return b"".join(parts)

    def ask_honestly(self) -> None:
        """A client with a connection of its own gets the answer to its own question."""
        self.honest += 1
        mark = f"?honest={self.honest}"
        read = ask(self.proxy.port, SETTINGS + mark, {"Host": "x", "Authorization": self.key})
        assert read.status == 200
        assert read.json()["links"][0]["href"].endswith(mark)
        self.service.wait_for("request", request_id=read.headers["X-Request-Id"])
        self.proxy.wait_for(mark)

    def asked(self) -> tuple[list[str], list[str]]:
        """The paths of requests that nginx saw, and of those that reached the service."""
        targets = (line.split(" ")[1:2] for line in self.proxy.asked())
        at_proxy = ["".join(target).partition("?")[0] for target in targets]
        return at_proxy, [one["path"] for one in self.service.events("request")]


@pytest.fixture(scope="module", params=[True, False], ids=["buffered", "streamed"])
def line(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Line]:
    program = Program(folder=tmp_path_factory.mktemp("line"))
    key = program.init()
    folder: Path = program.folder / "n"
    with (
        serving(program, **TRUST) as service,
        nginx(folder, service.port, buffered=request.param) as proxy,
    ):
        yield Line(service, proxy, key)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_request_has_one_end_for_proxy_and_service(line: Line, shape: str) -> None:
    before_proxy, before_service = (len(paths) for paths in line.asked())
    answers = line.send(shape.encode("latin-1"))
    line.ask_honestly()
    line.ask_honestly()

    at_proxy, at_service = line.asked()
    seen, reached = at_proxy[before_proxy:], at_service[before_service:]
    # The service saw no request that the proxy did not mean to be one.
    assert reached.count("/hidden") <= seen.count("/hidden"), (seen, reached)
    assert reached.count("/outer") <= seen.count("/outer")
    assert reached.count(SETTINGS) == 2
    assert len(reached) <= len(seen)
    # And the client got no more answers than the proxy took requests for.
    assert answers.count(b"HTTP/1.1 ") - answers.count(b"HTTP/1.1 100 ") <= len(seen) - 2
