"""A PostgreSQL that is reached over TCP by TLS alone, with a password or a certificate."""

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

from tests.authority import Authority
from tests.postgresql_server import PostgresqlServer

DATABASE = "mail"
USER, PASSWORD = "by_password", "c4n4ry-of-the-database"
CERTIFIED = "by_certificate"
_RULES = f"""
local all all trust
hostssl all {CERTIFIED} 127.0.0.1/32 cert
hostssl all all 127.0.0.1/32 scram-sha-256
"""
_TRIES = 3
_PATIENCE = 30.0


class TlsServer:
    """It shows a certificate for `localhost`, and trusts the same authority's for clients."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder=folder)
        self.server, self.port = _started()
        self.show(lambda authority: authority.issue("localhost"))
        ((rules,),) = self.server.run_sql("SHOW hba_file")
        Path(rules).write_text(_RULES)
        self.server.run_sql(
            f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'",
            f"CREATE ROLE {CERTIFIED} LOGIN",
            f"CREATE DATABASE {DATABASE} OWNER {USER}",
            *(
                f"ALTER SYSTEM SET {name} = '{self.server.folder / file.name}'"
                for name, file in (
                    ("ssl_cert_file", self.authority.certificate),
                    ("ssl_key_file", self.authority.key),
                    ("ssl_ca_file", self.authority.ca_file),
                )
            ),
            "ALTER SYSTEM SET ssl = on",
        )
        self.server.run_sql("SELECT pg_reload_conf()")
        until = time.monotonic() + _PATIENCE
        while self.server.run_sql("SHOW ssl") != [("on",)]:
            assert time.monotonic() < until

    def url(
        self, user: str = f"{USER}:{PASSWORD}", host: str = "localhost", name: str = DATABASE
    ) -> str:
        return f"postgresql://{user}@{host}:{self.port}/{name}"

    def show(self, issue: Callable[[Authority], object]) -> None:
        """Give the server another certificate, which it reads some time after a reload."""
        issue(self.authority)
        owner = self.server.folder.stat()
        for file in (self.authority.certificate, self.authority.key, self.authority.ca_file):
            given = self.server.folder / file.name
            given.write_bytes(file.read_bytes())
            given.chmod(0o600)
            os.chown(given, owner.st_uid, owner.st_gid)
        self.server.run_sql("SELECT pg_reload_conf()")

    def certify(self, name: str) -> tuple[Path, Path]:
        """Issue a certificate for a user; return its file and the one of its key."""
        issued = self.authority.ca.issue_cert("client.example.com", common_name=name)
        certificate, key = (self.authority.folder / f"{name}.{kind}" for kind in ("crt", "key"))
        issued.cert_chain_pems[0].write_to_path(str(certificate))
        issued.private_key_pem.write_to_path(str(key))
        return certificate, key

    def remove(self) -> None:
        self.server.remove()


def _started() -> tuple[PostgresqlServer, int]:
    """Start one at a free port; it takes none by itself, and another may be quicker."""
    for left in reversed(range(_TRIES)):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port: int = free.getsockname()[1]
        try:
            return PostgresqlServer(listen_addresses="127.0.0.1", port=str(port)), port
        except AssertionError:
            if not left:
                raise
    raise AssertionError("the last try returns or raises")
