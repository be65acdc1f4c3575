"""SASL exchanges against the other side's own arithmetic, and which one is chosen."""

import hmac
from pathlib import Path
from typing import Any

import pytest
import spnego
from hypothesis import given, settings
from hypothesis import strategies as st
from scramp import ScramMechanism  # type: ignore[import-untyped]
from spnego.exceptions import NegotiateOptions

from smarthost.secret import Secret
from smarthost.smtp.sasl import (
    SCRAM_ROUNDS_LIMIT,
    CramMd5,
    Exchange,
    Login,
    Ntlm,
    Plain,
    SaslError,
    Scram,
    choose,
)

USER = "notify@example.com"
PASSWORD = Secret("correct horse ä")
EVERYTHING = ("CRAM-MD5", "LOGIN", "PLAIN", "NTLM", "SCRAM-SHA-1", "SCRAM-SHA-256", "XOAUTH2")


def chosen(
    *offered: str,
    use_ntlm: bool = False,
    tls_verified: bool = True,
    user_name: str = USER,
    password: Secret = PASSWORD,
) -> str | None:
    exchange = choose(
        offered,
        user_name=user_name,
        password=password,
        use_ntlm=use_ntlm,
        tls_verified=tls_verified,
    )
    return exchange.mechanism if exchange else None


@pytest.mark.parametrize(
    ("tls_verified", "order"),
    [
        (True, ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN", "CRAM-MD5"]),
        (False, ["SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"]),
    ],
)
def test_the_strongest_mechanism_on_offer_is_chosen(tls_verified: bool, order: list[str]) -> None:
    offered = list(EVERYTHING)
    found = []
    while (name := chosen(*offered, tls_verified=tls_verified)) is not None:
        found.append(name)
        offered.remove(name)
    assert found == order


def test_ntlm_is_used_where_it_was_asked_for_and_nowhere_else() -> None:
    assert chosen(*EVERYTHING, use_ntlm=True) == "NTLM"
    assert chosen("NTLM") is None
    assert chosen("PLAIN", "SCRAM-SHA-256", use_ntlm=True) is None


@pytest.mark.parametrize("offered", [[], ["XOAUTH2"], ["plain"], ["SCRAM-SHA-256-PLUS"]])
def test_nothing_known_on_offer_is_none(offered: list[str]) -> None:
    assert chosen(*offered) is None


@pytest.mark.parametrize(
    ("user_name", "password"),
    [(USER, "tab\there"), (USER, "\U0001faf6"), ("\u0627a", "x"), ("", "x"), ("\u00ad", "x")],
)
def test_what_saslprep_refuses_leaves_scram_out(user_name: str, password: str) -> None:
    offered = ("SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN")
    assert chosen(*offered, user_name=user_name, password=Secret(password)) == "PLAIN"


def test_no_exchange_shows_the_password() -> None:
    password = Secret("hunter2")
    for name in EVERYTHING[:-1]:
        exchange = choose(
            [name],
            user_name=USER,
            password=password,
            use_ntlm=name == "NTLM",
            tls_verified=True,
        )
        assert exchange is not None
        assert "hunter2" not in repr(exchange) + repr(vars(exchange))


def test_plain_says_it_all_at_once() -> None:
    exchange = Plain(USER, PASSWORD)
    assert exchange.initial() == "\0notify@example.com\0correct horse ä".encode()
    with pytest.raises(SaslError):
        exchange.respond(b"")
    exchange.check_done()


def test_login_says_the_name_then_the_password() -> None:
    exchange = Login(USER, PASSWORD)
    exchange.initial()
    assert exchange.respond(b"Username:") == USER.encode()
    assert exchange.respond(b"") == PASSWORD.reveal().encode()
    with pytest.raises(SaslError):
        exchange.respond(b"Username:")
    exchange.check_done()


def test_cram_md5_gives_the_digest_of_rfc_2195() -> None:
    exchange = CramMd5("tim", Secret("tanstaaftanstaaf"))
    exchange.initial()
    answer = exchange.respond(b"<1896.697170952@postoffice.reston.mci.net>")
    assert answer == b"tim b913a602c7eda7a495b4e6e7334d3890"
    exchange.check_done()


def test_cram_md5_answers_one_challenge() -> None:
    exchange = CramMd5(USER, PASSWORD)
    exchange.respond(b"<1@example.com>")
    with pytest.raises(SaslError):
        exchange.respond(b"<2@example.com>")


def scram_server(mechanism: str, password: str = PASSWORD.reveal(), rounds: int = 4096) -> Any:
    known = ScramMechanism(mechanism)
    information = known.make_auth_info(password, iteration_count=rounds)
    return known.make_server(lambda name: information if name == USER else None)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-1"])
def test_scram_proves_both_sides_to_each_other(mechanism: str) -> None:
    exchange, server = Scram(mechanism, USER, PASSWORD), scram_server(mechanism)
    server.set_client_first(exchange.initial().decode())
    server.set_client_final(exchange.respond(server.get_server_first().encode()).decode())
    with pytest.raises(SaslError):
        exchange.check_done()
    assert exchange.respond(server.get_server_final().encode()) == b""
    exchange.check_done()


def test_a_relay_that_does_not_know_the_password_cannot_end_scram() -> None:
    exchange, server = Scram("SCRAM-SHA-256", USER, PASSWORD), scram_server("SCRAM-SHA-256", "x")
    server.set_client_first(exchange.initial().decode())
    exchange.respond(server.get_server_first().encode())
    with pytest.raises(SaslError):
        exchange.respond(b"v=" + b"A" * 43 + b"=")


def server_first(exchange: Scram, rounds: str) -> bytes:
    nonce = exchange.initial().decode().rpartition("r=")[2]
    return f"r={nonce}more,s=c2FsdHNhbHRzYWx0,i={rounds}".encode()


def test_rounds_of_hashing_have_a_limit() -> None:
    exchange = Scram("SCRAM-SHA-256", USER, PASSWORD)
    with pytest.raises(SaslError, match="rounds"):
        exchange.respond(server_first(exchange, str(SCRAM_ROUNDS_LIMIT + 1)))


@pytest.mark.parametrize("rounds", ["-1", "0", "1", "4095", "04096", "10000001", "1" + "0" * 5000])
def test_a_number_of_rounds_out_of_range_is_refused(rounds: str) -> None:
    exchange = Scram("SCRAM-SHA-256", USER, PASSWORD)
    with pytest.raises(SaslError):
        exchange.respond(server_first(exchange, rounds))


CHALLENGES = st.binary(max_size=200) | st.text(max_size=200).map(str.encode)


@given(CHALLENGES)
def test_no_challenge_upsets_scram(challenge: bytes) -> None:
    exchange = Scram("SCRAM-SHA-256", USER, PASSWORD)
    exchange.initial()
    with pytest.raises(SaslError):
        exchange.respond(challenge)


@given(st.lists(st.sampled_from(["r=", "s=", "i=", "m=", "e=", "v=", "=", ",", "4096", "AAAA"])))
def test_no_pieces_of_a_challenge_upset_scram(pieces: list[str]) -> None:
    exchange = Scram("SCRAM-SHA-1", USER, PASSWORD)
    nonce = exchange.initial().decode().rpartition("r=")[2]
    with pytest.raises(SaslError):
        exchange.respond("".join([nonce, *pieces]).encode())


@pytest.fixture
def ntlm_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    users = tmp_path / "users"
    users.write_text(f"EXAMPLE:notify:{PASSWORD.reveal()}\n:{USER}:{PASSWORD.reveal()}\n")
    monkeypatch.setenv("NTLM_USER_FILE", str(users))


@pytest.mark.usefixtures("ntlm_users")
@pytest.mark.parametrize("user_name", ["EXAMPLE\\notify", USER])
def test_ntlm_logs_in(user_name: str) -> None:
    server = spnego.server(protocol="ntlm", options=NegotiateOptions.use_ntlm)
    exchange = Ntlm(user_name, PASSWORD)
    challenge = server.step(exchange.initial())
    assert challenge is not None
    server.step(exchange.respond(challenge))
    assert server.complete
    assert server.client_principal == user_name
    exchange.check_done()


@pytest.mark.usefixtures("ntlm_users")
def test_ntlm_answers_one_challenge() -> None:
    server = spnego.server(protocol="ntlm", options=NegotiateOptions.use_ntlm)
    exchange = Ntlm(USER, PASSWORD)
    challenge = server.step(exchange.initial())
    assert challenge is not None
    exchange.respond(challenge)
    with pytest.raises(SaslError):
        exchange.respond(challenge)


@settings(max_examples=300)
@given(
    st.sampled_from([b"", b"NTLMSSP\0", b"NTLMSSP\0\1\0\0\0", b"NTLMSSP\0\2\0\0\0"]),
    st.binary(max_size=120),
)
def test_no_challenge_upsets_ntlm(beginning: bytes, rest: bytes) -> None:
    exchange: Exchange = Ntlm("EXAMPLE\\nötify", PASSWORD)
    exchange.initial()
    try:
        exchange.respond(beginning + rest)
    except SaslError:
        return
    assert len(beginning + rest) >= 48


@given(st.binary(max_size=100))
def test_cram_md5_takes_any_challenge(challenge: bytes) -> None:
    answer = CramMd5(USER, PASSWORD).respond(challenge).decode()
    digest = hmac.digest(PASSWORD.reveal().encode(), challenge, "md5").hex()
    assert answer == f"{USER} {digest}"
