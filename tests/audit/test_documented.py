"""The page of the audit against the program: it names every action there is."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "smarthost"
PAGE = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
ACTION = r"[a-z]+\.[a-z_]+"


def test_every_action_is_documented_and_no_other() -> None:
    # A change is written by a store, and its event with it; but for a back-up's first opening.
    stores = "".join(file.read_text(encoding="utf-8") for file in SOURCE.rglob("store.py"))
    opening = (SOURCE / "app" / "restored.py").read_text(encoding="utf-8")
    written = {
        *re.findall(rf'"({ACTION})"', stores),
        *re.findall(rf'action="({ACTION})"', opening),
    }
    assert len(written) > 20
    assert set(re.findall(rf"^\| `({ACTION})` \|", PAGE, re.MULTILINE)) == written
