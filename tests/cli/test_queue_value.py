"""How many questions `queue` asks, with what all of a great many portals have."""

from pathlib import Path

import msgspec

from benchmarks.many_portals import more_alike, more_portals
from smarthost.cli.queue_value import queue_value
from smarthost.mail_queue.model import State
from tests.app.test_relays import BY, installation
from tests.clocks import START
from tests.mail_queue.many import Asked
from tests.mail_queue.messages import submit_mail
from tests.relay_health.held import SAVED, hold, put_on_hold


async def test_relays_and_reasons_of_hundreds_of_portals_are_a_few_questions(
    tmp_path: Path,
) -> None:
    async with installation(tmp_path) as (_, parts, portal):
        revision = (await parts.settings.save(portal.id, SAVED, BY)).number
        await submit_mail(parts.delivery.intake, portal.id)
        await put_on_hold(parts.database, hold(portal.id, START, revision=revision))
        asked = []
        for count in (0, 400):
            if count:
                await more_portals(parts.database, portal.id, count)
                await more_alike(parts.database, portal.id)
            counted = Asked(parts.database)
            rows = await queue_value(msgspec.structs.replace(parts, database=counted))
            asked.append(counted.asked)
    assert len(rows) == 401
    for row in rows:
        assert row.recipients[State.QUEUED] == 1
        assert row.relay == f"{SAVED.settings.host}:{SAVED.settings.port}"
        assert row.hold == rows[0].hold
    assert rows[0].hold is not None
    assert rows[0].hold.failure.why
    assert asked[1] == asked[0] <= 8
