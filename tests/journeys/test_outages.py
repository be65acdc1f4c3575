"""What nodes do while their server is out of reach, for one of them or for all."""

from pathlib import Path

import pytest

from tests.journeys.outages import cut_one_off_apart, stop_a_server_of_its_own

pytestmark = pytest.mark.needs("postgres", "postfix", "saslpasswd2")

# The first answers take longer than either.
CUT_SECONDS = 6.0
STILL_SECONDS = 1.0


@pytest.mark.needs("unshare", "nsenter", "ip", "tc", "mount")
def test_a_node_whose_packets_vanish_says_so_soon_and_others_go_on(tmp_path: Path) -> None:
    print(cut_one_off_apart(tmp_path, CUT_SECONDS, wait=False))  # noqa: T201 - for the one who looks


def test_a_server_that_stands_still_or_crashes_loses_nothing_and_all_nodes_go_on(
    tmp_path: Path,
) -> None:
    print(stop_a_server_of_its_own(tmp_path, STILL_SECONDS))  # noqa: T201 - as above
