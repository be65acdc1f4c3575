"""The page of the audit against the program: it names every action there is."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "smarthost"
PAGE = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
ACTION = r"[a-z]+\.[a-z_]+"


def test_every_action_is_documented_and_no_other() -> None:
    # A change is written by a store, and its event with it; but for a back-up's first opening.
    written = {
        action
        for file in (*SOURCE.rglob("store.py"), SOURCE / "app" / "restored.py")
        for action in re.findall(rf'"({ACTION})"', file.read_text(encoding="utf-8"))
    }
    assert len(written) > 20
    assert set(re.findall(rf"^\| `({ACTION})` \|", PAGE, re.MULTILINE)) == written
