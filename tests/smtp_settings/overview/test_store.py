"""What is in force for all portals, by pages however small."""

import pytest

from benchmarks.many_portals import more_portals
from smarthost.database.engine import Database
from smarthost.smtp_settings.model import no_revision
from smarthost.smtp_settings.overview.store import in_force
from smarthost.smtp_settings.store import SettingsStore
from tests.mail_queue.many import Asked
from tests.smtp_settings.conftest import ADMIN
from tests.smtp_settings.relays import draft


@pytest.mark.parametrize("page", [1, 2, 3])
async def test_the_newest_revision_of_each_portal_is_given(
    database: Database, store: SettingsStore, portal: str, neighbour: str, page: int
) -> None:
    await store.save(portal, draft(), ADMIN)
    await store.reset(portal, ADMIN)
    newest = await store.save(portal, draft(), ADMIN)
    found = [one async for one in in_force(database, page=page)]
    by_name = sorted(found, key=lambda one: one.portal_name)
    assert [(one.portal_name, one.revision) for one in by_name] == [
        ("first", newest),
        ("second", no_revision(neighbour)),
    ]
    assert [one.suspended_at for one in found] == [None, None]


async def test_a_stretch_of_portals_can_be_asked_for(
    database: Database, portal: str, neighbour: str
) -> None:
    for one in (portal, neighbour):
        found = [each.revision.portal_id async for each in in_force(database, first=one, last=one)]
        assert found == [one]


async def test_hundreds_of_portals_are_one_question(
    database: Database, store: SettingsStore, portal: str
) -> None:
    await more_portals(database, portal, 999)
    asked = Asked(database)
    assert len([one async for one in in_force(asked)]) == 1_000
    assert asked.asked == 2
