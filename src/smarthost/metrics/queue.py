"""What waits in the queue, as it was last counted; nothing where it could not be."""

from collections.abc import Iterator
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector


class Waiting(NamedTuple):
    """What waits; all but the time are numbers of recipients or portals."""

    queued: int
    sending: int
    held: int
    oldest_due_seconds: float
    own_relays_on_hold: int
    default_relay_on_hold: int


class QueueMetrics(Collector):
    """Shows what was counted last."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.waiting: Waiting | None = None
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Give the metrics; called by the registry."""
        waiting = self.waiting
        if waiting is None:
            return
        recipients = GaugeMetricFamily(
            "smarthost_queue_recipients",
            "Recipients of portals' mail that has not ended.",
            labels=("state",),
        )
        recipients.add_metric(("queued",), waiting.queued)
        recipients.add_metric(("sending",), waiting.sending)
        recipients.add_metric(("held",), waiting.held)
        yield recipients
        yield GaugeMetricFamily(
            "smarthost_queue_oldest_due_seconds",
            "For how long the mail has been due that waits longest; 0: none is due.",
            waiting.oldest_due_seconds,
        )
        holds = GaugeMetricFamily(
            "smarthost_portals_on_hold",
            "Portals whose mail waits since their relay takes none.",
            labels=("relay",),
        )
        holds.add_metric(("own",), waiting.own_relays_on_hold)
        holds.add_metric(("default",), waiting.default_relay_on_hold)
        yield holds
