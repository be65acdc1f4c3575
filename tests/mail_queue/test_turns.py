"""What it costs to bring a turn up to date."""

import apsw
import pytest

from smarthost.database.migrate import migrations
from smarthost.database.parameters import numbered
from smarthost.mail_queue.turns import store

PORTAL = """
INSERT INTO portals (id, name, created_at, settings_allowed) VALUES ('p', 'p', 0, 1)"""
TURN = "INSERT INTO queue_turns (portal_id, kind) VALUES ('p', 'mail')"
MESSAGES = """
INSERT INTO messages (portal_id, id, kind, accepted_at, accepted_by, sender, needs_smtputf8,
                      needs_8bit, size, details, at_most_once)
VALUES ('p', ?, 'mail', 0, 'x', 's', 0, 0, 1, '{}', 0)"""
RECIPIENTS = """
INSERT INTO recipients (portal_id, message_id, address, kind, state, due_at, attempts_count,
                        deaths, in_doubt)
SELECT 'p', id, 'a', 'mail', 'queued', 7, 0, 0, 0 FROM messages"""


def steps_of_a_refresh(queued: int) -> int:
    """Return how many steps SQLite's machine makes with so many recipients in the queue."""
    connection = apsw.Connection(":memory:")
    for migration in migrations("sqlite"):
        connection.execute(migration.script)
    connection.execute(PORTAL)
    connection.execute(TURN)
    connection.executemany(MESSAGES, ((str(number),) for number in range(queued)))
    connection.execute(RECIPIENTS)
    steps = 0

    def step() -> bool:
        nonlocal steps
        steps += 1
        return False

    connection.set_progress_handler(step, 1)
    connection.execute(numbered(store._REFRESH), ("p", "mail", None, None, None))
    connection.set_progress_handler(None)
    assert connection.execute("SELECT due_at FROM queue_turns").fetchall() == [(7,)]
    return steps


@pytest.mark.parametrize("queued", [10, 5_000])
def test_a_turn_is_brought_up_to_date_at_the_same_cost_however_long_the_queue(
    queued: int,
) -> None:
    assert steps_of_a_refresh(queued) == steps_of_a_refresh(1)
