import re
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from smarthost.metrics.certificate import Shown
from smarthost.metrics.mail import Entrance
from smarthost.metrics.metrics import Metrics
from smarthost.metrics.queue import Waiting
from tests.metrics.exposed import exposed, samples

DOCUMENT = (Path(__file__).parents[2] / "docs/metrics.md").read_text()
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| (.*?) \| (.*) \|$", re.MULTILINE)
SUFFIX = {"counter": "_total", "info": "_info"}
WAITING = Waiting(
    queued=5,
    sending=2,
    held=1,
    oldest_due_seconds=7.5,
    own_relays_on_hold=3,
    default_relay_on_hold=4,
)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("1.2.3")


@pytest.fixture
def full(metrics: Metrics) -> Metrics:
    """Metrics that have seen one of everything."""
    metrics.http.answered("GET", "/emails/{id}", 200, 0.002)
    metrics.mail.accepted(Entrance.HTTP, 2, 3)
    relay = metrics.mail.relay("mail.example.com", 587, default=False)
    metrics.mail.attempt_ended(relay, "deferred", "login_refused")
    metrics.mail.attempt_took(relay, 0.3)
    metrics.mail.webhook_called("refused")
    metrics.queue.waiting = WAITING
    metrics.submission.begun()
    metrics.submission.logged_in(accepted=False)
    metrics.certificate.show(lambda: Shown(1_800_000_000.0, True))
    with metrics.commits.measured():
        pass
    return metrics


def labels(family: Metric) -> list[str]:
    names = {name for sample in family.samples for name in sample.labels}
    return sorted(names - {"le"})


def test_what_is_exposed_is_documented_and_the_other_way_round(full: Metrics) -> None:
    found = {
        family.name + SUFFIX.get(family.type, ""): (
            family.type,
            ", ".join(f"`{label}`" for label in labels(family)),
            family.documentation,
        )
        for family in exposed(full).values()
    }
    documented = {name: tuple(rest) for name, *rest in ROW.findall(DOCUMENT)}
    assert documented == found


def test_names_and_units_are_as_prometheus_has_them(full: Metrics) -> None:
    for family in exposed(full).values():
        assert re.fullmatch(r"(smarthost|process)_[a-z_]+", family.name)
        assert not family.name.endswith(("_total", "_count", "_sum", "_milliseconds"))
        if family.type == "histogram":
            assert family.name.endswith("_seconds")


def test_both_formats_tell_the_same(full: Metrics) -> None:
    text = full.expose("text/plain")
    assert text.content_type.startswith("text/plain")
    parsed = list(text_string_to_metric_families(text.content.decode()))
    assert {one.name for one in parsed} >= {"smarthost_http_requests", "process_open_fds"}
    assert not any(one.name.endswith("_created") for one in parsed)


def test_what_is_counted_is_told(full: Metrics) -> None:
    told = samples(full)
    relay = "mail.example.com:587"
    assert told["smarthost_http_requests_total", "GET", "/emails/{id}", "200"] == 1
    assert told["smarthost_messages_accepted_total", "http"] == 2
    assert told["smarthost_recipients_accepted_total", "http"] == 3
    assert told["smarthost_recipients_accepted_total", "smtp"] == 0
    assert told["smarthost_delivery_attempts_total", "login_refused", relay, "deferred"] == 1
    assert told["smarthost_delivery_attempt_duration_seconds_sum", relay] == 0.3
    assert told["smarthost_webhook_deliveries_total", "refused"] == 1
    assert told["smarthost_queue_recipients", "queued"] == 5
    assert told["smarthost_queue_oldest_due_seconds",] == 7.5
    assert told["smarthost_portals_on_hold", "default"] == 4
    assert told["smarthost_submission_sessions",] == 1
    assert told["smarthost_submission_logins_total", "refused"] == 1
    assert told["smarthost_tls_certificate_up_to_date",] == 1
    assert told["smarthost_store_commit_duration_seconds_count",] == 1
    assert any(name == "smarthost_build_info" and "1.2.3" in rest for name, *rest in told)


def test_what_nobody_can_tell_is_left_out(metrics: Metrics) -> None:
    names = set(exposed(metrics))
    assert not {"smarthost_queue_recipients", "smarthost_tls_certificate_up_to_date"} & names


def test_a_session_ends_and_others_are_turned_away(metrics: Metrics) -> None:
    metrics.submission.begun()
    metrics.submission.ended()
    metrics.submission.turned_away()
    told = samples(metrics)
    assert told["smarthost_submission_sessions",] == 0
    assert told["smarthost_submission_sessions_begun_total", "served"] == 1
    assert told["smarthost_submission_sessions_begun_total", "turned_away"] == 1


def test_connections_are_counted_when_somebody_asks(metrics: Metrics) -> None:
    metrics.http.count_connections(lambda: 17)
    assert samples(metrics)["smarthost_http_connections",] == 17


def test_labels_that_a_client_could_choose_have_few_values(metrics: Metrics) -> None:
    for number in range(1_000):
        metrics.http.answered(f"BREW{number}", None, 404, 0.001)
        relay = metrics.mail.relay(f"mail{number}.example.com", 25, default=False)
        metrics.mail.attempt_ended(relay, "accepted", "")
    told = samples(metrics)
    assert told["smarthost_http_requests_total", "other", "none", "404"] == 1_000
    assert told["smarthost_delivery_attempts_total", "", "other", "accepted"] == 800
