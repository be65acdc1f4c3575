"""`make soak`, its second half: the service is killed 1,000 times while it accepts and delivers.

It stops at the first account that does not close, whose seed is the last one told.
"""

import argparse
import random
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.journeys.killing import Account, kill_often

KILLS = 1_000
_OF_ONE_INSTALLATION = 50
_SIDE_BY_SIDE = 2


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.journeys.soak")
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    asked = parser.parse_args()
    seeds = range(asked.seed, asked.seed + asked.kills // _OF_ONE_INSTALLATION)
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as threads:
        accounts = list(threads.map(_killed, seeds))
    kills, accepted, submitted, duplicates = (
        sum(numbers)
        for numbers in zip(
            *((one.kills, one.accepted, one.submitted, one.duplicates) for one in accounts),
            strict=True,
        )
    )
    told = f"{accepted} e-mails accepted, {submitted} of them by SMTP"
    print(f"{kills} kills, {told}, 0 lost, {duplicates} twice", flush=True)


def _killed(seed: int) -> Account:
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="smarthost-soak-") as folder:
        account = kill_often(Path(folder) / "one", _OF_ONE_INSTALLATION, seed)
    print(f"seed {seed}: {account}", flush=True)
    return account


if __name__ == "__main__":
    main()
