"""When the store cannot be written: 503, when to come back, and nothing changed."""

import json
import resource

from tests.contract.bodies import OPEN
from tests.contract.process import Process
from tests.contract.service import SETTINGS


def test_a_save_that_cannot_be_stored_is_503_and_changes_nothing(process: Process) -> None:
    before = process.ask("GET", SETTINGS)
    unlimited = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    # No file of the process can grow: what a full disk does, too.
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1, unlimited[1]))
    try:
        refused = process.ask("POST", SETTINGS, json.dumps(OPEN).encode())
        kept = process.ask("GET", SETTINGS)
    finally:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, unlimited)

    assert refused.status == 503
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.json()["error"]["type"] == "serviceUnavailable"
    assert "nothing was changed" in refused.json()["error"]["message"]
    # Files are the operator's affair.
    assert "smarthost.db" not in refused.body.decode()
    for name in ("X-RateLimit-Limit", "Cache-Control"):
        assert refused.headers[name]
    assert (kept.status, kept.body) == (200, before.body)
    assert process.ask("POST", SETTINGS, json.dumps(OPEN).encode()).status == 200
