"""`docs/providers.md` names every provider, and what has to be done first."""

import re
from pathlib import Path

from smarthost.providers import Providers
from tests.providers.documented import tables

PAGE = Path(__file__).parents[2] / "docs" / "providers.md"


def test_the_page_has_the_tables_of_the_data() -> None:
    found: dict[str, list[str]] = {}
    for section in re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        heading, *lines = section.splitlines()
        rows = [line for line in lines if line.startswith("|")]
        if rows:
            found[heading] = rows
    assert found == tables(Providers.load().all), "replace the tables by those of documented.py"
