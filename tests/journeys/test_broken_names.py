"""The real program asks a real name server by the C library: what a host's name comes to.

Its network is its own, so that a name server can have port 53. The table of broken set-ups asks
the same server without the C library; here it shows that this comes to the same.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

import pytest

from smarthost.smtp.egress import EgressError, SystemResolver
from tests.apart import apart
from tests.broken_setups.host_rows import HOST_ROWS
from tests.broken_setups.names import ZONE, look_up_at
from tests.broken_setups.set_up import BrokenSetUp
from tests.cli.program import ADMIN, Program
from tests.name_server import name_server

pytestmark = pytest.mark.needs("ip", "mount")

T = TypeVar("T")

_DNS_PORT = 53
_PATIENCE = 60.0
_ALL_NAMES = "import sys; from tests.journeys.test_broken_names import print_all; print_all()"

# Where the two could differ most: no such name, no answer, no way.
ROWS = [row for row in HOST_ROWS if row.host in {"mial.example.com", "silent.example.com"}] + [
    row for row in HOST_ROWS if row.apart is not None and row.host == "six.example.com"
]


def beside_a_name_server(work: Callable[[], T]) -> T:
    """Do something in a network of its own, which has the name server."""

    def working() -> T:
        with name_server(ZONE, _DNS_PORT):
            return work()

    return apart(working)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    program = Program(folder=tmp_path_factory.mktemp("elsewhere"))
    program.init()
    return program


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_program_says_of_a_name_what_the_table_says(
    row: BrokenSetUp, program: Program
) -> None:
    line = ("settings", "check", "--host", row.host, "--port", "587", "--sender-address", ADMIN)
    work = partial(program, *line, "--json", SMARTHOST_RELAY_NETWORKS="any")
    ended = beside_a_name_server(work)

    assert (ended.code, ended.err) == (1, "")
    failure = ended.json()["failure"]
    assert (failure["step"], failure["code"]) == (row.step, row.code)
    assert tuple(failure["fields"]) == row.fields


def test_the_c_library_makes_of_each_name_what_the_tables_stub_makes_of_it() -> None:
    line = [sys.executable, "-c", _ALL_NAMES]

    def work() -> tuple[Mapping[str, str], Mapping[str, str]]:
        ended = subprocess.run(line, capture_output=True, timeout=_PATIENCE, check=True)
        stub = SystemResolver(look_up_at(_DNS_PORT))
        return json.loads(ended.stdout), asyncio.run(all_names(stub))

    by_library, by_stub = beside_a_name_server(work)

    assert by_library == by_stub


def print_all() -> None:
    """Print what the machine's own resolver makes of all names; what is run elsewhere."""
    sys.stdout.write(json.dumps(asyncio.run(all_names(SystemResolver()))))


async def all_names(resolver: SystemResolver) -> dict[str, str]:
    return {host: await _said(resolver, host) for host in ZONE}


async def _said(resolver: SystemResolver, host: str) -> str:
    try:
        return " ".join(await resolver.resolve(host))
    except EgressError as error:
        return type(error).__name__
