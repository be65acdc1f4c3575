"""nginx in front of the service, as an operator would put it, in one unprivileged process."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_PATIENCE = 20.0
FORGED = {
    "X_Forwarded_For": "203.0.113.7",
    "X_Forwarded_Proto": "http",
    "X_Forwarded_Host": "evil.example",
    "Forwarded": "for=203.0.113.7;host=evil.example;proto=http",
}
"""What a client says of itself that only a proxy may say, by the names that `ask` takes."""
_CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    log_format told escape=json '$request';
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxied;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    # Connections to the service are shared by all clients: what a request leaves behind on one
    # would be somebody else's.
    upstream smarthost {{ server 127.0.0.1:{service}; keepalive 1; }}
    server {{
        listen 127.0.0.1:{port};
        access_log {folder}/access.log told;
        client_max_body_size 1m;
        {buffering}
        location / {{
            proxy_pass http://smarthost;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host backend.internal;
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_set_header X-Forwarded-Proto https;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_next_upstream off;
        }}
    }}
}}
"""


@dataclass(frozen=True, kw_only=True)
class Proxy:
    """An nginx that runs."""

    folder: Path
    port: int

    def asked(self) -> list[str]:
        """Return the request lines of all requests that nginx has finished."""
        return (self.folder / "access.log").read_text(encoding="utf-8").splitlines()

    def wait_for(self, words: str) -> None:
        """Wait until nginx has noted a request with these words: after it was answered."""
        until = time.monotonic() + _PATIENCE
        while not any(words in line for line in self.asked()):
            assert time.monotonic() < until, f"nginx never noted {words}"
            time.sleep(0.002)


@contextlib.contextmanager
def nginx(folder: Path, service: int, *, buffered: bool = True) -> Iterator[Proxy]:
    """Run nginx in front of the service's port.

    Not `buffered`, nginx hands a body on while it arrives.
    """
    port = free_port()
    buffering = "" if buffered else "proxy_request_buffering off;"
    text = _CONFIGURATION.format(folder=folder, port=port, service=service, buffering=buffering)
    with running_nginx(folder, text, port) as proxy:
        yield proxy


@contextlib.contextmanager
def running_nginx(folder: Path, text: str, port: int) -> Iterator[Proxy]:
    """Run nginx in a new folder, with the text of its configuration; it listens on `port`."""
    folder.mkdir()
    configuration = folder / "nginx.conf"
    configuration.write_text(text)
    command = ["nginx", "-p", f"{folder}/", "-e", f"{folder}/error.log", "-c", str(configuration)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            _wait_until_taken(port, process)
            yield Proxy(folder=folder, port=port)
        finally:
            process.kill()


def free_port() -> int:
    """Return a port for a program that can neither be given a socket nor tell which it took."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port: int = held.getsockname()[1]
        return port


def _wait_until_taken(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        assert process.poll() is None, process.communicate()[1]
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.02)
    raise AssertionError("nginx takes no connections")


def rewritten(text: str, pairs: Iterable[tuple[str, str]]) -> str:
    """Return a configuration with each of ours, which has to be in it once, as theirs."""
    for ours, theirs in pairs:
        assert text.count(ours) == 1, ours
        text = text.replace(ours, theirs)
    return text
