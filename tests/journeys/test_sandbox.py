"""The program does its work with no more than its systemd units leave to it."""

import json

import pytest

from tests.cli.program import ADMIN, Program
from tests.contract.service import AUTHENTICATION
from tests.journeys.application import Application, login
from tests.journeys.sandbox import under
from tests.journeys.served import serving
from tests.journeys.sink import running_sink
from tests.processes import run_python

SERVICE = "smarthost.service"
USER, PASSWORD = "postman", "a relay's password"
SIGN_IN = "correct horse battery"

pytestmark = pytest.mark.needs("systemd-analyze")

_TRIES = """
import ctypes, errno, mmap, os, socket

def refused(what, number):
    try:
        what()
    except OSError as error:
        print(error.errno == number)
    else:
        print(False)

refused(lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC), errno.EPERM)
refused(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW), errno.EAFNOSUPPORT)
refused(lambda: os.setuid(os.getuid()), errno.EPERM)
refused(lambda: os.chroot("/"), errno.EPERM)
refused(lambda: os.sched_setaffinity(0, {0}), errno.EPERM)
socket.socket(socket.AF_INET6).close()
"""


@pytest.mark.parametrize("unit", [SERVICE, "smarthost-backup.service"])
def test_the_sandbox_takes_what_the_unit_takes(unit: str) -> None:
    source = _TRIES if unit == SERVICE else _TRIES.replace("AF_INET6", "AF_UNIX")
    ended = run_python(source, under=under(unit))
    assert (ended.status, ended.lines) == (0, ["True"] * 5), ended.errors


def test_the_service_does_all_its_work_in_its_sandbox(program: Program) -> None:
    with (
        running_sink({USER: PASSWORD}) as sink,
        serving(program, "--json", under=under(SERVICE), SMARTHOST_ADMIN_EMAIL=ADMIN) as service,
    ):
        key = json.loads(service.wait_printed("key")[0])["key"]
        set_password = ("user", "password", ADMIN, "--password-stdin")
        assert program(*set_password, typed=SIGN_IN).code == 0
        application = Application(process=service.client(key))
        signed_in = application.ask(
            "POST", AUTHENTICATION, {"userName": ADMIN, "password": SIGN_IN}
        )
        assert signed_in.status == 200, signed_in.body
        application.save(sink.port, "notify@example.com", **login(USER, PASSWORD))
        application.send(attachments=[{"filename": "a.bin", "content": "QUJD" * 100_000}])
        (taken,) = sink.wait_for(1)
        assert taken.login == USER
        assert b"\nsmarthost_messages_accepted_total" in application.ask("GET", "/metrics").body


def test_a_command_works_in_the_sandbox_of_the_backups(program: Program, key: str) -> None:
    command = [*under("smarthost-backup.service"), *program.command("key", "list", "--json")]
    ended = program._run(command, "", program.folder, {})
    assert ended.code == 0, ended.err
    assert ended.json()[0]["name"] == "first key"
