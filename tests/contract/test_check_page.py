"""The lines of docs/check.md work when they are pasted."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.contract.service import Service

pytestmark = pytest.mark.needs("curl")

PAGE = (Path(__file__).parents[2] / "docs" / "check.md").read_text(encoding="utf-8")
LINES = [block for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) if "curl" in block]
# In this order: nothing is saved yet when the stored settings are checked.
TOLD = [
    '"code":"',
    "There is nothing to check",
    'event: result\ndata: {"ok":false,',
    "event: step\ndata: ",
]


@pytest.mark.parametrize(("lines", "told"), [*zip(LINES, TOLD, strict=True)])
def test_what_is_pasted_is_answered(service: Service, lines: str, told: str) -> None:
    given = {"URL": service.url, "KEY": service.key, "PATH": os.environ["PATH"]}
    done = subprocess.run(
        ["sh", "-ec", lines], env=given, capture_output=True, text=True, timeout=60, check=True
    )
    assert told in done.stdout
