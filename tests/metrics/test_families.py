from smarthost.metrics.families import decode, encode
from smarthost.metrics.mail import Entrance
from smarthost.metrics.metrics import Metrics
from smarthost.metrics.queue import Waiting
from tests.metrics.exposed import OPENMETRICS, families


def test_series_of_processes_stand_side_by_side_under_one_name() -> None:
    first, second = Metrics("1.2.3"), Metrics("1.2.3")
    first.mail.accepted(Entrance.HTTP, 2, 3)
    second.mail.accepted(Entrance.HTTP, 5, 7)
    second.mail.attempt_took("other", 0.3)
    sent = decode(encode(second.families()))
    shown = first.expose(OPENMETRICS, {1: first.families(), 2: sent})
    told = families(shown.content)
    accepted = told["smarthost_messages_accepted"].samples
    by_http = [one for one in accepted if one.labels["entrance"] == "http"]
    assert [(one.labels["worker"], one.value) for one in by_http] == [("1", 2), ("2", 5)]
    took = told["smarthost_delivery_attempt_duration_seconds"].samples
    assert {one.labels["worker"] for one in took} == {"2"}
    assert "+Inf" in {one.labels.get("le") for one in took}


def test_what_is_the_stores_own_is_told_once() -> None:
    first, second = Metrics("1.2.3"), Metrics("1.2.3")
    for metrics in (first, second):
        metrics.queue.waiting = Waiting(
            queued=5,
            sending=0,
            held=0,
            oldest_due_seconds=0.0,
            own_relays_on_hold=0,
            default_relay_on_hold=0,
        )
    shown = families(first.expose(OPENMETRICS, {2: second.families()}).content)
    samples = shown["smarthost_queue_recipients"].samples
    assert (samples[0].labels, samples[0].value) == ({"state": "queued"}, 5)
    assert len(samples) == 3
