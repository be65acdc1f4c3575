"""The real program before relays at every address there is: it goes to none that is forbidden.

What it does is not taken from what it says: the kernel counts the connections that are begun in a
network of its own, and relays at all addresses write down who came.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from smarthost.delivery.outcome import Code
from tests.journeys.behind_the_wall import MOVING
from tests.journeys.everywhere import way_in
from tests.smtp.destinations import LISTED, PUBLIC_4, forbidden

pytestmark = pytest.mark.needs("unshare", "ip", "mount")

_PATIENCE = 120
MOVES = 84
_HERE = Path(__file__).parents[2]
_TROUBLE = {
    "servfail.gate.example": Code.NAME_LOOKUP_FAILED,
    "nothing.gate.example": Code.RELAY_NOT_FOUND,
    "nowhere.gate.example": Code.RELAY_NOT_FOUND,
}


def found_behind_the_wall(folder: Path, networks: str, *, every: int, moves: int) -> Any:
    program = ("-m", "tests.journeys.behind_the_wall", str(folder), networks)
    done = subprocess.run(
        [*way_in(folder), sys.executable, *program, str(every), str(moves)],
        cwd=_HERE,
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def assert_all_forbidden(came: Sequence[dict[str, Any]]) -> None:
    for one in came:
        if one["saved"] == 400:
            assert (one["check"], one["test"], one["mail"]) == ("400", None, None), one
            continue
        code = _TROUBLE.get(one["host"], Code.DESTINATION_FORBIDDEN)
        assert (one["saved"], one["check"], one["mail"]) == (200, code, code), one
        assert one["test"], one
        if code is Code.DESTINATION_FORBIDDEN:
            assert one["test"].startswith("Mail may not go out to "), one
        assert one["address"] is None, one


def test_the_program_goes_to_none_of_many_forbidden_destinations_and_follows_no_name_inside(
    tmp_path: Path,
) -> None:
    found = found_behind_the_wall(tmp_path, "public", every=1, moves=MOVES)
    assert len(found["came"]) == len(forbidden()) + len(_TROUBLE)
    assert sum(one["saved"] == 200 for one in found["came"]) > 200
    assert_all_forbidden(found["came"])
    assert (found["begun"], found["inside"]) == (0, [])

    forbidden_or_gone = {(): Code.RELAY_NOT_FOUND, (PUBLIC_4,): None}
    codes = [forbidden_or_gone.get(tuple(move), "forbidden") for move in found["moves"]]
    assert len(codes) == found["lookups"] == len(found["moved"]) == MOVES
    for code, told in zip(codes, found["moved"], strict=True):
        assert (told is None) == (code is None)
    outside = codes.count(None)
    assert found["begun while it moved"] == outside > MOVES // 4
    assert found["reached"] == [[PUBLIC_4, 587, MOVING]] * outside


def test_the_program_goes_to_no_network_that_the_operator_did_not_name(tmp_path: Path) -> None:
    found = found_behind_the_wall(tmp_path, LISTED, every=8, moves=0)
    assert_all_forbidden(found["came"])
    assert (found["begun"], found["inside"]) == (0, [])
