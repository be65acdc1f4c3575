"""The dashboard and the alert rules ask for what the program tells, as Prometheus wants it."""

import itertools
import re
import subprocess
from pathlib import Path

import pytest

from smarthost.delivery.outcome import Code, Result
from smarthost.metrics.mail import Entrance
from tests.repository.handed_out import ROOT, text_of
from tests.repository.monitoring import (
    ALERTS,
    RULES,
    asked_for,
    dashboard,
    expressions,
    panels,
    rule_expressions,
)

# tests/metrics proves that the table says what the program tells.
ROW = re.compile(r"^\| `(\w+)` \| \w+ \| (.*?) \|", re.MULTILINE)
LABELS = {
    name: set(re.findall(r"`(\w+)`", labels))
    for name, labels in ROW.findall(text_of(ROOT / "docs" / "metrics.md"))
}
SELECTOR = re.compile(r"\b((?:smarthost|process)_[a-z_]+)\{([^}]*)\}")
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
GROUPING = re.compile(r"\b(?:by|on) \(([^)]*)\)")
OF_PROMETHEUS = {"job", "instance", "le"}
VALUES = {
    ("smarthost_delivery_attempts_total", "result"): {*Result},
    ("smarthost_delivery_attempts_total", "code"): {*Code},
    ("smarthost_messages_accepted_total", "entrance"): {*Entrance},
    ("smarthost_queue_recipients", "state"): {"queued", "sending", "held"},
    ("smarthost_portals_on_hold", "relay"): {"own", "default"},
    ("smarthost_submission_sessions_begun_total", "result"): {"served", "turned_away"},
    ("smarthost_submission_logins_total", "result"): {"accepted", "refused"},
    ("smarthost_webhook_deliveries_total", "result"): {"taken"},
}
GUIDE = text_of(ROOT / "docs" / "monitoring.md")
NAMES = re.findall(r"- alert: (\w+)", text_of(RULES))


def promtool(*arguments: str) -> str:
    done = subprocess.run(
        ["promtool", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_is_asked_for_is_told() -> None:
    assert len(rule_expressions()) == len(NAMES)
    assert asked_for() <= LABELS.keys(), asked_for() - LABELS.keys()


def test_all_that_is_told_of_mail_is_shown() -> None:
    shown = "\n".join(expressions())
    told = {name for name in LABELS if name.startswith("smarthost_")}
    named_elsewhere = {
        "smarthost_build_info",  # the variables of the dashboard
        "smarthost_recipients_accepted_total",  # the messages say the same
        "smarthost_tls_certificate_up_to_date",  # an alert
    }
    assert {name for name in told if name not in shown} == named_elsewhere


@pytest.mark.parametrize("expression", [*expressions(), *rule_expressions()])
def test_labels_and_their_values_are_those_of_the_metric(expression: str) -> None:
    for name, matchers in SELECTOR.findall(expression):
        metric = re.sub(r"_(bucket|count|sum)$", "", name)
        for label, operator, value in MATCHER.findall(matchers):
            assert label in LABELS[metric] | OF_PROMETHEUS, (name, label)
            known = VALUES.get((metric, label))
            if known is not None and not operator.endswith("~"):
                assert value in known, (name, label, value)
    of_all = set().union(*(LABELS[name] for name in LABELS if name in expression))
    for labels in GROUPING.findall(expression):
        assert set(labels.split(", ")) <= of_all | OF_PROMETHEUS, expression


@pytest.mark.needs("promtool")
def test_prometheus_takes_the_rules() -> None:
    assert f"{len(NAMES)} rules found" in promtool("check", "rules", str(RULES))


@pytest.mark.needs("promtool")
def test_prometheus_understands_what_the_dashboard_asks_for(tmp_path: Path) -> None:
    rules = tmp_path / "dashboard.yml"
    records = [
        f"  - record: panel:{number}\n    expr: {expression!r}\n"
        for number, expression in enumerate(expressions())
    ]
    rules.write_text("groups:\n- name: dashboard\n  rules:\n" + "".join(records))
    assert f"{len(records)} rules found" in promtool("check", "rules", str(rules))


@pytest.mark.needs("promtool")
def test_each_alert_is_quiet_and_then_fires() -> None:
    text = text_of(ALERTS)
    assert re.findall(r"- name: (\w+),", text) == NAMES
    for name in NAMES:
        assert text.count(f'alertname="{name}"') == 2
    promtool("test", "rules", str(ALERTS))


def test_each_alert_says_how_urgent_it_is_and_what_to_do() -> None:
    for rule in text_of(RULES).split("- alert: ")[1:]:
        name = rule.partition("\n")[0]
        assert re.search(r"^ +severity: (critical|warning)$", rule, re.MULTILINE), name
        assert re.search(r"^ +summary: .*\.\"?$", rule, re.MULTILINE), name
        assert re.search(r"^ +description: >-\n", rule, re.MULTILINE), name
        assert f"runbook: docs/monitoring.md#{name.lower()}\n" in rule


def test_the_guide_has_a_section_for_each_alert() -> None:
    assert re.findall(r"^### (Smarthost\w+)$", GUIDE, re.MULTILINE) == NAMES


def test_panels_stand_beside_each_other_and_name_no_installation() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        columns = range(place["x"], place["x"] + place["w"])
        cells = set(itertools.product(columns, range(place["y"], place["y"] + place["h"])))
        assert columns.stop <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
        for part in (panel, *panel.get("targets", ())):
            if panel["type"] != "row":
                assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    ids = [panel["id"] for panel in panels()]
    assert len(ids) == len(set(ids))
    assert [one["name"] for one in dashboard()["templating"]["list"]] == [
        "datasource",
        "job",
        "instance",
    ]
