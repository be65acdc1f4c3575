"""A server over the network is verified and logged in to; where that fails, it is told why."""

import asyncio
import socket
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from smarthost.database.engine import StoreUnavailableError
from smarthost.database.postgresql import PostgresqlDatabase
from smarthost.secret import Secret
from tests.authority import Authority
from tests.cli.program import ADMIN, Program
from tests.database.tls_server import CERTIFIED, DATABASE, PASSWORD, USER, TlsServer
from tests.journeys.canaries import found_in
from tests.journeys.served import serving

pytestmark = pytest.mark.needs("postgres")

WHO = "SELECT current_user, ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
PATIENCE = 30.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    made = TlsServer(tmp_path_factory.mktemp("tls"))
    yield made
    made.remove()


@pytest.fixture
def verified(server: TlsServer) -> str:
    """The options of a URL that trust nobody but the right one."""
    return f"?sslmode=verify-full&sslrootcert={server.authority.ca_file}"


async def asked(url: str) -> tuple[object, ...]:
    """Return who one is there, whether over TLS, and which."""
    database = PostgresqlDatabase(Secret(url))
    try:
        return (await database.fetch(WHO))[0]
    finally:
        await database.close()


async def test_a_server_that_forgets_a_connection_without_a_word_is_found_out(
    server: TlsServer, verified: str
) -> None:
    database = PostgresqlDatabase(Secret(server.url() + verified))
    connection = await database.connect()
    ours = connection._transport.get_extra_info("socket")  # type: ignore[attr-defined]
    assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 10
    connection.terminate()
    await database.close()


async def refused(url: str) -> str:
    """Return what is said where a server cannot be used, which never tells the password."""
    with pytest.raises(StoreUnavailableError) as caught:
        await asked(url)
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))
    said = str(caught.value)
    assert said.startswith(f"The database {DATABASE} on "), said
    return said.partition(" on ")[2].partition(" ")[2]


async def test_a_verified_server_is_logged_in_to_by_scram(
    server: TlsServer, verified: str
) -> None:
    assert await asked(server.url() + verified) == (USER, True, "TLSv1.3")
    kept = await asyncio.to_thread(
        server.server.run_sql, f"SELECT rolpassword FROM pg_authid WHERE rolname = '{USER}'"
    )
    assert kept[0][0].startswith("SCRAM-SHA-256$")


async def test_tls_is_used_where_nothing_is_said(server: TlsServer) -> None:
    assert await asked(server.url()) == (USER, True, "TLSv1.3")


async def test_a_certificate_logs_in_without_a_password(server: TlsServer, verified: str) -> None:
    certificate, key = server.certify(CERTIFIED)
    url = f"{server.url(CERTIFIED)}{verified}&sslcert={certificate}&sslkey={key}"
    assert await asked(url) == (CERTIFIED, True, "TLSv1.3")
    without = await refused(server.url(CERTIFIED) + verified)
    assert without == "refuses the user: look at its pg_hba.conf."
    others, key = server.certify("somebody_else")
    with_anothers = f"{server.url(CERTIFIED)}{verified}&sslcert={others}&sslkey={key}"
    assert await refused(with_anothers) == "refuses the user: look at its pg_hba.conf."


async def test_a_wrong_name_is_refused(server: TlsServer, verified: str) -> None:
    assert await refused(server.url(host="127.0.0.1") + verified) == (
        "shows a certificate that is refused: IP address mismatch, certificate is not valid for "
        "'127.0.0.1'. The host in the URL has to be the one in the certificate."
    )


async def test_a_name_that_nobody_asks_for_may_be_wrong(server: TlsServer, verified: str) -> None:
    only_authority = verified.replace("verify-full", "verify-ca")
    assert await asked(server.url(host="127.0.0.1") + only_authority) == (USER, True, "TLSv1.3")


async def test_another_authority_is_refused(server: TlsServer, tmp_path: Path) -> None:
    other = Authority(folder=tmp_path)
    other.issue()
    for mode in ("verify-full", "verify-ca", "require"):
        said = await refused(f"{server.url()}?sslmode={mode}&sslrootcert={other.ca_file}")
        assert said.startswith("shows a certificate that is refused: self-signed certificate in")
        assert said.endswith("Name the file of its authority with sslrootcert.")


async def test_without_an_authority_nothing_is_verified(
    server: TlsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    said = await refused(f"{server.url()}?sslmode=verify-full")
    assert said == (
        "cannot be verified. Name the file of its certificate's authority with sslrootcert."
    )


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("sslrootcert=/nowhere/ca.pem", "sslrootcert names a file that cannot be read: No such"),
        ("sslcert=/nowhere/a.crt&sslkey=/nowhere/a.key", "sslcert names a file that cannot be"),
        ("sslrootcert={text}", "sslrootcert, sslcert or sslkey is wrong (no certificate"),
        ("sslcert={certificate}&sslkey={others_key}", "is wrong (key values mismatch)"),
        ("sslmode=full", "`sslmode` parameter must be one of"),
    ],
)
async def test_options_that_cannot_be_are_told(
    server: TlsServer, verified: str, tmp_path: Path, option: str, words: str
) -> None:
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    certificate, _ = server.certify(CERTIFIED)
    _, others_key = server.certify("somebody_else")
    given = option.format(text=text, certificate=certificate, others_key=others_key)
    said = await refused(f"{server.url()}{verified}&{given}")
    assert said.startswith("cannot be connected to: ")
    assert words in said


async def test_who_may_not_come_in_is_told(server: TlsServer, verified: str) -> None:
    for user in (f"{USER}:{PASSWORD}x", f"nobody:{PASSWORD}"):
        said = await refused(server.url(user) + verified)
        assert said == "refuses the user's password."
    in_clear = await refused(f"{server.url()}?sslmode=disable")
    assert in_clear == "refuses the user: look at its pg_hba.conf."


async def test_a_database_that_is_missing_is_told(server: TlsServer, verified: str) -> None:
    with pytest.raises(StoreUnavailableError, match=r"The database none .* is not there. Type"):
        await asked(server.url(name="none") + verified)


async def test_an_expired_certificate_is_refused_and_a_new_one_taken(
    server: TlsServer, verified: str
) -> None:
    url = server.url() + verified
    server.show(lambda authority: authority.issue_expired("localhost"))
    assert await told_after_reload(url) == (
        "shows a certificate that is refused: certificate has expired. Renew it."
    )
    server.show(lambda authority: authority.issue("localhost"))
    assert await told_after_reload(url, well=True) is None


async def told_after_reload(url: str, *, well: bool = False) -> str | None:
    """Return what is said once the server has read its files again; None if all is `well` then."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            await asked(url)
        except StoreUnavailableError as error:
            if not well:
                return str(error).partition(" on ")[2].partition(" ")[2]
        else:
            if well:
                return None
    pytest.fail("the server never shows the other certificate")


def test_the_programs_password_is_in_a_file_and_nowhere_else(
    server: TlsServer, verified: str, tmp_path: Path
) -> None:
    program = Program(folder=tmp_path)
    file = tmp_path / "url"
    file.write_text(server.url() + verified + "\n")
    environ = {"SMARTHOST_DATABASE_URL_FILE": str(file), "SMARTHOST_LOG_LEVEL": "debug"}
    made = program("init", "--admin-email", ADMIN, **environ)
    assert made.code == 0, made.err
    with serving(program, **environ) as service:
        assert service.client("").ask("GET", "/readyz").status == 200
        seen = [
            Path(f"/proc/{service.pid}/{name}").read_bytes() for name in ("environ", "cmdline")
        ]
        metrics = service.client("").ask("GET", "/metrics").body
    doctor = program("doctor", **environ)
    assert doctor.code == 0, doctor.out
    file.write_text(server.url(f"{USER}:{PASSWORD}x") + verified)
    late = [program(*words, **environ) for words in (("serve",), ("doctor",))]
    late[0].assert_one_line(5, "refuses the user's password")
    texts = ["\n".join(service.log + service.printed), *(one.out + one.err for one in late)]
    texts += [made.out + made.err, doctor.out + doctor.err]
    for octets in (*seen, metrics, *(text.encode() for text in texts)):
        assert not found_in(octets, [PASSWORD])
