"""What axe-core finds wrong with a page, by the rules of WCAG 2.2 AA and its own best practice."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

_AXE = Path(__file__).parent / "axe/node_modules/axe-core/axe.min.js"
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_SCRIPTS = "!matchMedia('(scripting: none)').matches"
_RUN = "tags => axe.run(document, {runOnly: tags, resultTypes: ['violations']})"


def violations(page: Page) -> list[str]:
    """Return what is wrong with `page` as it is shown now: rule, element, and what to mend."""
    if not _AXE.exists():
        pytest.skip("needs axe-core, which scripts/test installs")
    assert page.evaluate(_SCRIPTS), "axe-core runs only where scripts run"
    # By the protocol of the browser's tools, which the page's own policy does not bind.
    if not page.evaluate("'axe' in window"):
        page.evaluate(_AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = page.evaluate(_RUN, _TAGS)
    return [
        f"{violation['id']}: {' '.join(map(str, node['target']))}: {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
