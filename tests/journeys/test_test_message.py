"""The test message by the real program: the official client, two processes, a killed worker."""

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import docspace_api_sdk
import pytest
from docspace_api_sdk.exceptions import ApiException

from tests.cli.program import ADMIN, Program
from tests.contract.process import Process
from tests.contract.relays import Inbox, Pausing, running_relay
from tests.contract.service import SETTINGS
from tests.journeys.served import Served, serving, started

# Every field of its models is optional to the type checker.
sdk: Any = docspace_api_sdk

TEST = f"{SETTINGS}/test"
STATUS = f"{TEST}/status"
OVER_SECONDS = 40
_PATIENCE = 60.0


def official(served: Served, key: str) -> Any:
    configuration = sdk.Configuration(host=f"http://127.0.0.1:{served.port}", access_token=key)
    # It would wait out a Retry-After by itself, which is a quarter of an hour here.
    configuration.retries = False
    return sdk.SMTPSettingsApi(sdk.ApiClient(configuration))


def watched(api: Any) -> Any:
    return api.get_smtp_operation_status().response.to_dict()


def settings(port: int) -> bytes:
    return json.dumps({"host": "localhost", "port": port, "senderAddress": ADMIN}).encode()


def saved(client: Process, port: int) -> None:
    assert client.post(settings(port))[0] == 200


def state(client: Process, path: str = STATUS) -> Any:
    return client.ask("GET", path).json()["response"]


def ended(look: Callable[[], Any]) -> Any:
    until = time.monotonic() + _PATIENCE
    while not (seen := look())["completed"]:
        assert time.monotonic() < until, seen
        time.sleep(0.05)
    return seen


def test_the_official_client_saves_tests_and_polls_to_the_end_and_is_429_after_five(
    program: Program, key: str
) -> None:
    inbox = Inbox()
    with running_relay(inbox) as relay, serving(program, SMARTHOST_RATE_LIMITS="on") as served:
        api = official(served, key)
        body = sdk.SmtpSettingsDto(host="localhost", port=relay.port, sender_address=ADMIN)
        api.save_smtp_settings(body)
        ids = set()
        for _ in range(5):
            begun = api.test_smtp_settings().response
            last = ended(lambda: watched(api))
            assert (last["id"], last["percents"], last["error"]) == (begun.id, 100, "")
            ids.add(begun.id)
        with pytest.raises(ApiException) as refused:
            api.test_smtp_settings()
        api.api_client.rest_client.pool_manager.clear()
    assert refused.value.status == 429
    assert refused.value.headers is not None
    assert int(refused.value.headers["Retry-After"]) > 0
    assert (len(ids), len(inbox.messages)) == (5, 5)


def test_what_another_process_saves_is_what_the_next_test_uses(program: Program, key: str) -> None:
    first, second = Inbox(), Inbox()
    with (
        running_relay(first) as old,
        running_relay(second) as new,
        serving(program) as delivering,
        serving(program) as other,
    ):
        here, there = delivering.client(key), other.client(key)
        for inbox, relay, saving, testing in (
            (first, old, here, here),
            (second, new, there, here),
            (first, old, here, there),
        ):
            before = len(inbox.messages)
            saved(saving, relay.port)
            state(testing, TEST)
            assert ended(partial(state, testing))["error"] == ""
            assert len(inbox.messages) == before + 1
    assert b"revision 2" in second.messages[0]


def test_what_another_process_saves_in_the_middle_ends_the_test(
    program: Program, key: str
) -> None:
    pausing = Pausing()
    with running_relay(pausing) as relay, serving(program) as one, serving(program) as other:
        here, there = one.client(key), other.client(key)
        saved(here, relay.port)
        state(here, TEST)
        assert pausing.reached.wait(_PATIENCE)
        saved(there, 9)
        told = ended(lambda: state(there))["error"]
        pausing.let_go()
    assert told == "The settings were changed meanwhile. Start the test again."
    assert pausing.inbox.messages == []


@pytest.mark.long
def test_a_test_whose_worker_was_killed_is_over_after_40_seconds_and_never_sent_again(
    program: Program, key: str
) -> None:
    pausing = Pausing()
    with running_relay(pausing) as relay:
        with started(program) as dying:
            client = dying.client(key)
            saved(client, relay.port)
            begun = state(client, TEST)
            began = time.monotonic()
            assert pausing.reached.wait(_PATIENCE)
            while state(client)["percents"] != 40:
                assert time.monotonic() < began + _PATIENCE
                time.sleep(0.05)
            dying.kill()
        pausing.let_go()
        with serving(program) as served:
            client = served.client(key)
            served.wait_for("delivering")
            assert state(client, TEST)["id"] == begun["id"]
            over = ended(lambda: state(client))
            assert OVER_SECONDS - 1 <= time.monotonic() - began <= OVER_SECONDS + 10
            assert (over["id"], over["percents"]) == (begun["id"], 40)
            assert over["error"].startswith("The sending was interrupted.")

            again = state(client, TEST)
            assert again["id"] != begun["id"]
            assert ended(lambda: state(client))["error"] == ""
    assert len(pausing.inbox.messages) == 1
