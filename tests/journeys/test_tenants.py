"""Three portals whose mail is mixed: each relay sees its own portal's login and mail only."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.cli.program import Program
from tests.contract.service import BASE_DOMAIN
from tests.journeys.application import BATCH, Application, email, login, open_tenants
from tests.journeys.reconciled import assert_ledger_closes
from tests.journeys.served import serving
from tests.journeys.sink import Sink, running_sink

NAMES = ("default", "acme", "zenith")
OPEN = "zenith"
"""The portal whose relay asks for no login."""
SENDS = 10_000
AT_ONCE = 3


@dataclass(frozen=True, kw_only=True)
class Portal:
    name: str
    application: Application
    sink: Sink

    @property
    def sender(self) -> str:
        return f"post@{self.name}.example.com"


@pytest.fixture
def portals(program: Program) -> Iterator[list[Portal]]:
    tenants = open_tenants(program, *NAMES[1:])
    with ExitStack() as stack:
        environ = {"SMARTHOST_BASE_DOMAIN": BASE_DOMAIN, "SMARTHOST_LOG_LEVEL": "info"}
        service = stack.enter_context(serving(program, **environ))
        portals = []
        for tenant in tenants:
            accounts = {} if tenant.name == OPEN else {tenant.name: f"{tenant.name}'s password"}
            sink = stack.enter_context(running_sink(accounts))
            application = Application(process=service.client(tenant.key), host=tenant.host)
            portal = Portal(name=tenant.name, application=application, sink=sink)
            for user, password in accounts.items():
                application.save(sink.port, portal.sender, **login(user, password))
            if not accounts:
                application.save(sink.port, portal.sender)
            portals.append(portal)
        yield portals


def test_over_10_000_sends_each_relay_sees_only_its_own_login_and_sender(
    program: Program, portals: list[Portal]
) -> None:
    batches = SENDS // 100

    def send(number: int) -> None:
        portal = portals[number % len(portals)]
        batch = [email(subject=f"{portal.name} {number} {one}") for one in range(100)]
        answer = portal.application.ask("POST", BATCH, batch)
        assert answer.status == 200, answer.body

    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(send, range(batches)))

    for at, portal in enumerate(portals):
        expected = {
            f"{portal.name} {number} {one}"
            for number in range(at, batches, len(portals))
            for one in range(100)
        }
        taken = portal.sink.wait_for(len(expected))
        assert {one.login for one in taken} == {"" if portal.name == OPEN else portal.name}
        assert {one.sender for one in taken} == {portal.sender}
        assert all(f"\r\nFrom: {portal.sender}\r\n".encode() in one.content for one in taken)
        subjects = [
            one.content.partition(b"\r\nSubject: ")[2].partition(b"\r\n")[0].decode()
            for one in taken
        ]
        assert (len(subjects), set(subjects)) == (len(expected), expected)
        assert portal.sink.refused_logins == 0
    assert_ledger_closes(program.data_dir)
