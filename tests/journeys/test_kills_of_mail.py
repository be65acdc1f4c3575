"""`kill -9` under load, 100 times: no accepted e-mail is lost, and hardly one arrives twice."""

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.journeys.killing import kill_often

KILLS = 100
SIDE_BY_SIDE = 2
LEAST_RATE = 20
"""Messages a second at least, or it was no load."""


@pytest.mark.long
def test_after_100_kills_every_accepted_e_mail_has_arrived_and_each_copy_is_excused(
    tmp_path: Path,
) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    with ThreadPoolExecutor(SIDE_BY_SIDE) as threads:
        sides = [
            threads.submit(
                kill_often, tmp_path / f"{number}", KILLS // SIDE_BY_SIDE, seed + number
            )
            for number in range(SIDE_BY_SIDE)
        ]
        for side in sides:
            account = side.result()
            print(account)  # noqa: T201 - so is this
            assert account.accepted > LEAST_RATE * account.seconds
            assert account.submitted > account.kills, "by SMTP too"
