"""`/metrics`: who may read it, in which format, and what is never in it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.bodies import OPEN
from tests.contract.service import EMAILS, SETTINGS, Service, running_service
from tests.metrics.exposed import OPENMETRICS, families, values
from tests.repository.monitoring import asked_for

PATH = "/metrics"
CANARY = "canary-3f9a"


def told(service: Service) -> dict[tuple[str, ...], float]:
    reply = service.ask("GET", PATH, headers={"Accept": OPENMETRICS})
    assert reply.status == 200
    found = families(reply.body).values()
    return values([sample for family in found for sample in family.samples])


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Behind a proxy on this machine, for a reader that is not on it."""
    folder = tmp_path_factory.mktemp("guarded")
    with running_service(
        folder, TRUSTED_NETWORKS="127.0.0.1", METRICS_NETWORKS="192.0.2.0/24"
    ) as running:
        yield running


def test_prometheus_gets_what_it_asks_for_on_any_host(portals_service: Service) -> None:
    reply = portals_service.ask("GET", PATH, headers={"Host": "10.0.0.5:8025"})
    assert (reply.status, reply.headers["Content-Type"].split(";")[0]) == (200, "text/plain")
    reply = portals_service.ask("GET", PATH, headers={"Accept": OPENMETRICS})
    assert reply.headers["Content-Type"].startswith("application/openmetrics-text")
    assert reply.body.endswith(b"# EOF\n")
    head = portals_service.ask("HEAD", PATH)
    assert (head.status, head.body) == (200, b"")


@pytest.mark.parametrize(
    "field", ["Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP"]
)
def test_what_comes_through_a_proxy_that_is_not_believed_is_refused(
    service: Service, field: str
) -> None:
    reply = service.ask("GET", PATH, headers={field: "127.0.0.1"})
    assert reply.status == 403
    assert "SMARTHOST_TRUSTED_NETWORKS" in reply.json()["error"]["message"]


def test_a_believed_proxy_says_who_reads(guarded: Service) -> None:
    assert guarded.ask("GET", PATH, headers={"X-Forwarded-For": "192.0.2.7"}).status == 200
    for elsewhere in ("203.0.113.9", "192.0.2.7, 203.0.113.9"):
        reply = guarded.ask("GET", PATH, headers={"X-Forwarded-For": elsewhere})
        assert reply.status == 403
        assert "SMARTHOST_METRICS_NETWORKS" in reply.json()["error"]["message"]


def test_a_believed_proxy_that_names_nobody_is_no_reader(guarded: Service) -> None:
    assert guarded.ask("GET", PATH, headers={"Forwarded": "for=192.0.2.7"}).status == 403
    assert guarded.ask("GET", PATH).status == 403


def test_the_dashboard_and_the_alerts_ask_for_what_a_running_service_tells(
    service: Service,
) -> None:
    text = service.ask("GET", PATH).body.decode()
    told = set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE))
    missing = asked_for() - told
    assert {name for name in missing if "_tls_certificate_" not in name} == set()  # it has none


def test_what_happens_is_counted_and_nobody_is_named(tmp_path: Path) -> None:
    with running_service(tmp_path) as service:
        settings = OPEN | {"enableAuth": True, "credentialsUserName": f"{CANARY}-user"}
        settings |= {"credentialsUserPassword": f"{CANARY}-password"}
        assert service.ask("POST", SETTINGS, settings, key=service.key).status == 200
        email = {
            "to": [f"{CANARY}@example.org", f"{CANARY}@example.net"],
            "subject": f"{CANARY} subject",
            "text": "x",
            "scheduled_at": "in 1 hour",
        }
        assert service.ask("POST", EMAILS, email, key=service.key).status == 200
        assert service.ask("GET", f"{EMAILS}/{CANARY}", key=service.key).status != 200
        assert service.ask("GET", f"/{CANARY}", key=service.key).status == 404
        counted = told(service)
        shown = service.ask("GET", PATH).body.decode()
    assert counted["smarthost_messages_accepted_total", "http"] == 1
    assert counted["smarthost_recipients_accepted_total", "http"] == 2
    assert counted["smarthost_queue_recipients", "queued"] == 2
    assert counted["smarthost_http_requests_total", "POST", EMAILS, "200"] == 1
    assert counted["smarthost_http_requests_total", "GET", "none", "404"] == 1
    assert counted["smarthost_http_request_duration_seconds_count", SETTINGS] == 1
    assert counted["smarthost_store_commit_duration_seconds_count",] > 0
    secret = service.key.split("_", 2)[2]
    for word in (CANARY, secret, service.portal.id, service.admin.email, json.dumps(settings)):
        assert word not in shown
