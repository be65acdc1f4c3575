"""One key, 100 requests at once at two services: one message, one id, whoever was asked."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

from tests.cli.program import ADMIN, Program
from tests.contract.service import EMAILS, Reply
from tests.journeys.application import BATCH, Application, email
from tests.journeys.reconciled import rows
from tests.journeys.served import serving
from tests.journeys.sink import running_sink

SIDE_BY_SIDE = 100


def test_100_requests_of_one_key_at_two_services_are_one_message(
    program: Program, key: str
) -> None:
    with contextlib.ExitStack() as stack:
        services = [stack.enter_context(serving(program)) for _ in range(2)]
        pair = [Application(process=service.client(key)) for service in services]
        sink = stack.enter_context(running_sink())
        pair[0].save(sink.port, ADMIN)

        def ask(number: int, path: str, body: object, name: str) -> Reply:
            return pair[number % 2].ask("POST", path, body, Idempotency_Key=name)

        with ThreadPoolExecutor(SIDE_BY_SIDE) as threads:
            for path, body, count in (
                (EMAILS, email(), 1),
                (BATCH, [email(), email(to="joe@example.net")], 2),
            ):
                before = len(sink.taken)
                asking = [
                    threads.submit(ask, number, path, body, path) for number in range(SIDE_BY_SIDE)
                ]
                answers = {(one.result().status, one.result().body) for one in asking}
                ((status, _),) = answers
                assert status == HTTPStatus.OK, answers
                sink.wait_for(before + count)
                for number in range(2):
                    other = ask(number, path, [{**email(), "text": "other"}], path)
                    assert other.status == HTTPStatus.CONFLICT
                    assert other.json()["name"] == "invalid_idempotent_request"
                    assert ask(number, path, body, path).status == HTTPStatus.OK
        # A key belongs to the credential: for another one it is new.
        made = program("key", "create", "--name", "other", "--permission", "send")
        other_key = Application(process=services[0].client(made.out.strip()))
        again = other_key.ask("POST", EMAILS, email(), Idempotency_Key=EMAILS)
        assert (again.status, len(sink.wait_for(4))) == (HTTPStatus.OK, 4)
    assert rows(program.data_dir, "SELECT count(*) FROM messages") == [(4,)]
    assert len(sink.taken) == 4
