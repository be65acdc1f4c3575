"""What is wrong in itself is refused by the check as by a save, before any connection; and what is
only spelled otherwise is put right.
"""

from pathlib import Path

import pytest
import trustme

from smarthost.clock import SystemClock
from smarthost.delivery.outcome import Step, StepState
from tests.broken_setups.beside import running
from tests.broken_setups.installation import installation
from tests.broken_setups.names import ZONE, look_up_at
from tests.broken_setups.servers import scripted
from tests.broken_setups.set_up import World
from tests.broken_setups.typed_rows import TYPED_ROWS, Typed, refused, settings
from tests.hostile_relays.honest import Relay
from tests.journeys.postfix import Postfix
from tests.name_server import name_server


@pytest.mark.parametrize("row", TYPED_ROWS, ids=lambda row: row.name)
def test_the_field_is_named_and_what_to_type_there(row: Typed) -> None:
    faults = refused(row)

    assert list(faults) == [row.field]
    assert row.says in " ".join(faults[row.field])


async def test_a_check_refuses_the_same_with_all_faults_and_asks_no_name_server(
    tmp_path: Path,
) -> None:
    def look_up(host: str) -> list[str]:
        raise AssertionError(f"{host} was looked up.")

    async with installation(tmp_path / "data", SystemClock(), look_up) as portal:
        for row in TYPED_ROWS:
            assert await portal.refused(settings(**{row.field: row.value})) == refused(row)
        both = await portal.refused(settings(host="smtp://mail.example.com", port=0))
    assert set(both) == {"host", "port"}


def _none() -> Postfix:
    raise AssertionError("No Postfix was asked for.")


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        (" mail.example.com ", "mail.example.com"),
        ("Mail.Example.COM.", "mail.example.com"),
        ("b\u00fccher.example.com", "xn--bcher-kva.example.com"),
    ],
)
async def test_another_spelling_of_a_host_is_no_fault(
    host: str, asked: str, tmp_path: Path
) -> None:
    world = World(authority=trustme.CA(), host=asked, postfix=_none)
    with (
        running(scripted("a server", Relay), world) as place,
        name_server(ZONE) as names,
    ):
        async with installation(
            tmp_path / "data", SystemClock(), look_up_at(names.port)
        ) as portal:
            typed = settings(host=host, port=place.port, enable_ssl=False)
            checked = await portal.check(typed, "anna@example.org")

    assert checked.ok
    (resolved,) = [one for one in checked.steps if one.step is Step.RESOLVE]
    assert (resolved.state, resolved.seen["addresses"]) == (StepState.OK, ["127.0.0.1"])
