"""What the dashboard and the alert rules ask Prometheus for."""

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.repository.handed_out import DEPLOY, ROOT, text_of

RULES = DEPLOY / "prometheus" / "smarthost.rules.yml"
DASHBOARD = DEPLOY / "grafana" / "smarthost.json"
ALERTS = ROOT / "tests" / "repository" / "alerts.yml"
# Of a counter and a histogram, the names of the series.
_SUFFIX = re.compile(r"_(bucket|count|sum)$")
_METRIC = re.compile(r"\b(?:smarthost|process)_[a-z_]+\b")


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text_of(DASHBOARD))
    return found


def expressions() -> list[str]:
    """Return what the dashboard asks for, its variables filled in."""
    given = {"$job": "smarthost", "$instance": ".*", "$__rate_interval": "5m"}
    found = [target["expr"] for panel in panels() for target in panel.get("targets", ())]
    for name, value in given.items():
        found = [expression.replace(name, value) for expression in found]
    return found


def panels() -> Iterator[dict[str, Any]]:
    for panel in dashboard()["panels"]:
        yield panel
        yield from panel.get("panels", ())


def rule_expressions() -> list[str]:
    """Return what the alerts ask for, each as one line or several."""
    blocks = re.findall(
        r"^ +expr: (.*?)^ +(?:for|labels):", text_of(RULES), re.DOTALL | re.MULTILINE
    )
    return [block.removeprefix(">-") for block in blocks]


def asked_for() -> set[str]:
    """Return the names of all metrics, as docs/metrics.md has them."""
    queries = [one["query"]["query"] for one in dashboard()["templating"]["list"][1:]]
    text = "\n".join([*expressions(), *rule_expressions(), *queries])
    return {_SUFFIX.sub("", name) for name in _METRIC.findall(text)}
