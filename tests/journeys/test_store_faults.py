"""A disk that takes nothing: the operator reads why, and what only reads goes on."""

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager

from tests.cli.program import Program
from tests.contract.bodies import OPEN
from tests.contract.service import KEYS, SETTINGS
from tests.journeys.served import Served, serving


def test_why_the_store_refused_is_in_the_log_and_not_in_the_answer(
    program: Program, key: str
) -> None:
    with serving(program) as service, _no_file_grows(service):
        refused = service.client(key).ask("POST", SETTINGS, json.dumps(OPEN).encode())
        request_id = refused.headers["X-Request-Id"]
        told = service.wait_for("store unavailable", request_id=request_id)
    assert refused.status == 503
    assert str(program.data_dir / "smarthost.db") in told["reason"]
    assert str(program.data_dir).encode() not in refused.body


def test_keys_are_listed_though_their_last_use_cannot_be_written(
    program: Program, key: str
) -> None:
    with serving(program) as service, _no_file_grows(service):
        listed = service.client(key).ask("GET", KEYS)
    assert listed.status == 200
    assert [one["name"] for one in listed.json()["response"]] == ["first key"]


@contextmanager
def _no_file_grows(service: Served) -> Iterator[None]:
    before = resource.prlimit(service.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        yield
    finally:
        resource.prlimit(service.pid, resource.RLIMIT_FSIZE, before)
