"""Test and check against a real Postfix: save, test, read what the administrator is told.

One service and one Postfix are there for all: each test saves settings of its own, as an
administrator does who tries until it works.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from json import dumps
from pathlib import Path
from typing import Any

import pytest
import trustme

from smarthost.app.parts import open_parts
from smarthost.audit.model import OPERATOR, Actor
from smarthost.config import load_config
from smarthost.relay_check.model import Checked
from tests.cli.program import ADMIN, Program
from tests.contract.process import Process
from tests.contract.service import SETTINGS
from tests.journeys.postfix import (
    DOMAIN,
    MECHANISMS,
    PASSWORD,
    USER_NAME,
    Postfix,
    folder_for_postfix,
    postfix,
)
from tests.journeys.served import serving
from tests.smtp.relays import free_tls_address

pytestmark = pytest.mark.needs("postfix", "saslpasswd2")

Settings = dict[str, object]

LOGIN: Settings = {
    "enableAuth": True,
    "credentialsUserName": USER_NAME,
    "credentialsUserPassword": PASSWORD,
}
TLS: Settings = {"enableSSL": True}
NTLM: Settings = {"useNtlm": True}

SOMEBODY_ELSE = f"somebody@{DOMAIN}"

# More than a test may take, which is half a minute.
_PATIENCE = 60.0


def offering(mechanisms: str) -> dict[str, str]:
    return {"smtpd_sasl_auth_enable": "yes", "smtpd_sasl_path": mechanisms}


def services(folder: Path, tls_address: str, trusted: trustme.CA) -> dict[str, dict[str, str]]:
    """Return what each service of Postfix is to be like."""
    yesterday = datetime.now(UTC) - timedelta(days=1)
    certificates = {
        "good": trusted.issue_cert("localhost", tls_address),
        "untrusted": trustme.CA().issue_cert("localhost"),
        "wrong name": trusted.issue_cert(f"mail.{DOMAIN}"),
        "expired": trusted.issue_cert(
            "localhost", not_before=yesterday - timedelta(days=90), not_after=yesterday
        ),
    }
    tls = {name: _certificate(folder, name, one) for name, one in certificates.items()}
    return {
        "clear": {},
        "login": offering("any"),
        "starttls": offering("any") | tls["good"],
        "implicit": offering("any") | tls["good"] | {"smtpd_tls_wrappermode": "yes"},
        "starttls at once": {"smtpd_tls_security_level": "encrypt"} | tls["good"],
        "untrusted": offering("any") | tls["untrusted"],
        "wrong name": offering("any") | tls["wrong name"],
        "expired": offering("any") | tls["expired"],
        "members only": offering("any")
        | {"smtpd_relay_restrictions": "permit_sasl_authenticated, reject"},
        "own addresses": offering("any")
        | {
            "smtpd_sender_login_maps": f"inline:{{ {SOMEBODY_ELSE}=somebody }}",
            "smtpd_sender_restrictions": "reject_sender_login_mismatch",
        },
        "no such sender": {
            "smtpd_sender_restrictions": f"check_sender_access inline:{{ {ADMIN}=REJECT }}",
            "smtpd_delay_reject": "no",
        },
        "no such mailbox": {"virtual_mailbox_maps": f"inline:{{ {SOMEBODY_ELSE}=inbox/ }}"},
        **{mechanism: offering(mechanism) for mechanism in MECHANISMS},
    }


def _certificate(folder: Path, name: str, certificate: trustme.LeafCert) -> dict[str, str]:
    path = folder / f"{name.replace(' ', '-')}.pem"
    certificate.private_key_and_cert_chain_pem.write_to_path(str(path))
    return {"smtpd_tls_chain_files": str(path), "smtpd_tls_security_level": "may"}


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Where an administrator sits: the program that is tried, and the relay it is tried with."""

    program: Program
    client: Process
    relay: Postfix

    def tried(self, service: str, settings: Settings) -> dict[str, Any]:
        """Save settings for a service of Postfix, test them, and return the last state."""
        address, port = self.relay.services[service]
        return self.tried_at("localhost" if address == "127.0.0.1" else address, port, settings)

    def tried_at(self, host: str, port: int, settings: Settings) -> dict[str, Any]:
        self.relay.forget()
        body = {"host": host, "port": port, "senderAddress": ADMIN} | settings
        saved = self.client.ask("POST", SETTINGS, dumps(body).encode())
        assert saved.status == 200, saved.body
        began = self.client.ask("GET", f"{SETTINGS}/test").json()["response"]
        until = time.monotonic() + _PATIENCE
        while not (state := self._state())["completed"]:
            assert time.monotonic() < until, state
            time.sleep(0.02)
        assert state["id"] == began["id"]
        assert PASSWORD not in state["error"]
        return state

    def checked(self) -> Checked:
        """Check the settings that were saved last, beside the service, as a command does."""
        found = asyncio.run(_checked(self.program))
        assert PASSWORD not in repr(found)
        return found

    def arrived(self, state: Mapping[str, object]) -> EmailMessage:
        """Return the message of a test that went well."""
        assert (state["error"], state["percents"]) == ("", 100)
        message = self.relay.delivered()
        assert (message["From"], message["To"]) == (ADMIN, ADMIN)
        assert message["Auto-Submitted"] == "auto-generated"
        return message

    def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = self.client.ask("GET", f"{SETTINGS}/test/status").json()[
            "response"
        ]
        return state


async def _checked(program: Program) -> Checked:
    config = load_config(
        program.environment({}),
        working_directory=program.folder,
        machine_name=str,
        stderr_is_terminal=False,
    )
    async with open_parts(config, create=False) as parts:
        [portal] = await parts.portals.portals(at_most=2)
        prepared = await parts.check.prepare(portal, None, ADMIN, by=Actor(name=OPERATOR))
        return await parts.check.run(prepared)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    trusted = trustme.CA()
    program = Program(folder=tmp_path_factory.mktemp("smarthost"))
    authorities = program.folder / "authorities.pem"
    trusted.cert_pem.write_to_path(str(authorities))
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(folder_for_postfix())
        address = free_tls_address()
        asked = services(folder, address, trusted)
        relay = stack.enter_context(postfix(folder, address, asked))
        key = program.init()
        # OpenSSL's own way to say what this machine trusts.
        served = stack.enter_context(serving(program, SSL_CERT_FILE=str(authorities)))
        here = stack.enter_context(pytest.MonkeyPatch.context())
        here.setenv("SSL_CERT_FILE", str(authorities))
        yield Desk(program=program, client=served.client(key), relay=relay)
        assert PASSWORD not in "\n".join(served.log)


def protocol(message: EmailMessage) -> str:
    """Return how the relay got a message: S for TLS, A for a login (RFC 3848)."""
    words = str(message["Received"]).split()
    return words[words.index("with", words.index("by")) + 1]


def test_a_relay_in_clear_and_without_login_takes_the_message(desk: Desk) -> None:
    assert protocol(desk.arrived(desk.tried("clear", {}))) == "ESMTP"


@pytest.mark.parametrize("service", ["implicit", "starttls"])
def test_over_tls_with_a_trusted_certificate_login_and_message_are_taken(
    desk: Desk, service: str
) -> None:
    message = desk.arrived(desk.tried(service, TLS | LOGIN))
    assert protocol(message) == "ESMTPSA"


@pytest.mark.parametrize("service", ["starttls", "starttls at once", "untrusted", "expired"])
def test_starttls_is_used_where_nobody_asks_for_it_whatever_the_certificate(
    desk: Desk, service: str
) -> None:
    assert protocol(desk.arrived(desk.tried(service, {}))) == "ESMTPS"


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_each_mechanism_alone_on_offer_logs_in(desk: Desk, mechanism: str) -> None:
    message = desk.arrived(desk.tried(mechanism, LOGIN | {"useNtlm": mechanism == "NTLM"}))
    assert protocol(message) == "ESMTPA"
    used, user_name = desk.relay.login(message)
    assert (used, user_name.partition("@")[0]) == (mechanism, USER_NAME)


@pytest.mark.parametrize(("ntlm", "used"), [({}, "SCRAM-SHA-256"), (NTLM, "NTLM")])
def test_of_all_mechanisms_the_strongest_logs_in_unless_ntlm_is_asked_for(
    desk: Desk, ntlm: Settings, used: str
) -> None:
    message = desk.arrived(desk.tried("login", LOGIN | ntlm))
    assert desk.relay.login(message)[0] == used


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_wrong_password_is_told_whatever_the_mechanism(desk: Desk, mechanism: str) -> None:
    wrong = {"credentialsUserPassword": "Wrong-Horse-7", "useNtlm": mechanism == "NTLM"}
    state = desk.tried(mechanism, LOGIN | wrong)
    assert state["percents"] == 60
    assert state["error"].startswith("localhost refused the login. ")
    assert "(credentialsUserPassword)" in state["error"]
    assert "The mail server said: 535 5.7.8 " in state["error"]


FAILURES: dict[str, tuple[str, Settings, str, str]] = {
    "untrusted certificate": (
        "untrusted",
        TLS | LOGIN,
        "The certificate of localhost is not trusted.",
        "(host)",
    ),
    "expired certificate": (
        "expired",
        TLS | LOGIN,
        "The certificate of localhost is out of date.",
        "renews it",
    ),
    "certificate for another name": (
        "wrong name",
        TLS | LOGIN,
        "The certificate of localhost is for another name.",
        "(host)",
    ),
    "no STARTTLS": (
        "login",
        TLS | LOGIN,
        "localhost does not start TLS.",
        "(enableSSL)",
    ),
    "no AUTH offered": (
        "clear",
        LOGIN,
        "localhost offers no login here.",
        "(enableAuth)",
    ),
    "no NTLM offered": (
        "PLAIN",
        LOGIN | NTLM,
        "localhost offers no login with NTLM.",
        "(useNtlm)",
    ),
    "AUTH needed but off": (
        "members only",
        {},
        "localhost does not pass on mail for this machine.",
        "(enableAuth)",
    ),
    "refused sender": (
        "no such sender",
        {},
        "localhost does not accept the sender address.",
        "(senderAddress)",
    ),
    "sender of another account": (
        "own addresses",
        LOGIN | {"senderAddress": SOMEBODY_ELSE},
        "The sender address has to belong to the login.",
        "(senderAddress)",
    ),
    "refused recipient": (
        "no such mailbox",
        {},
        "The recipient's address does not exist.",
        "Correct the recipient's address",
    ),
}


@pytest.mark.parametrize(
    ("service", "settings", "title", "advice"), FAILURES.values(), ids=FAILURES
)
def test_what_goes_wrong_is_told_in_words_that_name_the_setting(
    desk: Desk, service: str, settings: Settings, title: str, advice: str
) -> None:
    state = desk.tried(service, settings)
    assert state["error"].startswith(f"{title} ")
    assert advice in state["error"]
    assert state["percents"] < 100
    # A check finds the same, and says the same.
    failure = desk.checked().failure
    assert failure is not None
    assert failure.text == state["error"]


@pytest.mark.parametrize(
    ("service", "names"),
    [("untrusted", ["localhost"]), ("wrong name", [f"mail.{DOMAIN}"]), ("expired", ["localhost"])],
)
def test_a_check_shows_the_certificate_that_it_refuses(
    desk: Desk, service: str, names: list[str]
) -> None:
    desk.tried(service, TLS | LOGIN)
    [tls] = [step for step in desk.checked().steps if step.step == "tls"]
    certificate = tls.seen["certificate"]
    assert isinstance(certificate, dict)
    assert certificate["names"] == names
    assert (certificate["daysLeft"] < 0) is (service == "expired")


@pytest.mark.parametrize("service", ["implicit", "starttls"])
def test_a_check_of_settings_that_work_passes_and_leaves_no_message(
    desk: Desk, service: str
) -> None:
    desk.arrived(desk.tried(service, TLS | LOGIN))
    checked = desk.checked()
    assert (checked.ok, checked.warnings) == (True, ())
    assert [step.state for step in checked.steps] == ["ok"] * len(checked.steps)
    until = time.monotonic() + _PATIENCE
    while " mail=1 rcpt=1 rset=1 quit=1 " not in desk.relay.log:
        assert time.monotonic() < until, desk.relay.log
        time.sleep(0.02)
    assert desk.relay.is_idle()
    assert not list((desk.relay.folder / "inbox/new").glob("*"))


def test_members_only_are_let_in_with_the_login(desk: Desk) -> None:
    assert protocol(desk.arrived(desk.tried("members only", LOGIN))) == "ESMTPA"


def test_a_port_where_nobody_listens_is_told(desk: Desk) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        state = desk.tried_at("localhost", unused.getsockname()[1], {})
    assert state["error"].startswith("localhost refused the connection. ")
    assert "(port)" in state["error"]


def test_a_name_that_nobody_knows_is_told(desk: Desk) -> None:
    state = desk.tried_at("no-such-relay.invalid", 587, {})
    # A machine without name servers cannot know that there is no such name (RFC 6761).
    assert state["error"].startswith(_lookup("no-such-relay.invalid"))


def _lookup(host: str) -> str:
    try:
        socket.getaddrinfo(host, None)
    except socket.gaierror as error:
        if error.errno == socket.EAI_NONAME:
            return f"{host} cannot be found. "
        return f"The address of {host} could not be looked up. "
    pytest.skip(f"the name servers here know {host}")


def test_a_server_that_says_nothing_is_told_within_half_a_minute(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        state = desk.tried_at("localhost", silent.getsockname()[1], {})
    assert time.monotonic() - began < 35
    assert state["error"].startswith("localhost did not greet in time. ")
    assert "(port)" in state["error"]
