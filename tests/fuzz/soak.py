"""`make soak`: every target for its share of half an hour, each time with a new seed.

It ends with 1 where something was found, once every target has had its time.
"""

import argparse
import sys

from tests.fuzz.rounds import new_seed, round_of
from tests.fuzz.run import AVAILABLE, LEFT_OUT
from tests.fuzz.targets import TARGETS

SECONDS = 1_800
GRACE_SECONDS = 60.0
"""For the start, and for the last input."""
LINES = 60
"""Of the fuzzer's output that are shown with a finding: the last."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="make soak")
    parser.add_argument("target", nargs="*", help="these alone")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="for all of them")
    asked = parser.parse_args()
    if not AVAILABLE:
        sys.exit(f"The fuzzer {LEFT_OUT}.")
    names = asked.target or list(TARGETS)
    share = max(1, asked.seconds // len(names))
    failed = [name for name in names if not soaked(name, share)]
    sys.exit(f"Found something in: {', '.join(failed)}" if failed else 0)


def soaked(name: str, seconds: int) -> bool:
    """Run one target and tell what came of it; false where it failed."""
    seed = new_seed()
    print(f"{name}: {seconds} s, seed {seed}", flush=True)
    ended = round_of(
        name, "--seconds", str(seconds), "--seed", str(seed), at_most=seconds + GRACE_SECONDS
    )
    lines = ended.stdout.splitlines()
    print("\n".join(lines[-1:] if ended.returncode == 0 else lines[-LINES:]), flush=True)
    return ended.returncode == 0


if __name__ == "__main__":
    main()
