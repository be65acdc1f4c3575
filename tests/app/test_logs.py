"""What a log never tells, whatever goes wrong."""

import pytest

from tests.processes import run_python

FAILING = """
import logging, sys
import structlog
from smarthost.app.logs import configure_logs

configure_logs(sys.argv[1], "debug")

def save(body):
    password = body["password"]
    raise ValueError("a fault of ours")

for log in (structlog.get_logger("smarthost.web"), logging.getLogger("uvicorn.error")):
    try:
        save({"password": "CAN" + "ARY"})
    except ValueError as error:
        log.error("internal error", exc_info=error)
"""


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_traceback_shows_where_but_no_values(form: str) -> None:
    ended = run_python(FAILING, form)
    assert ended.status == 0, ended.errors
    assert ended.errors.count("a fault of ours") >= 2
    assert ended.errors.count("in save") == 2
    assert "CANARY" not in ended.errors
