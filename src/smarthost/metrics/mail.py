"""Mail on its way: accepted, tried, told about."""

from enum import StrEnum
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Histogram

from smarthost.metrics.relays import RelayLabels

# A relay that works answers in less than a second; the last step of a session may take minutes.
_SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)


class Entrance(StrEnum):
    """Where a message came in."""

    HTTP = "http"
    SMTP = "smtp"
    OWN = "own"
    """Smarthost's own: tests, and notices to administrators."""


class MailMetrics:
    """Counts what this process accepts and delivers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        messages = Counter(
            "smarthost_messages_accepted",
            "Messages that were accepted.",
            ("entrance",),
            registry=registry,
        )
        recipients = Counter(
            "smarthost_recipients_accepted",
            "Recipients of accepted messages.",
            ("entrance",),
            registry=registry,
        )
        # All of them from the start: zero is worth knowing too.
        self._messages = {entrance: messages.labels(entrance) for entrance in Entrance}
        self._recipients = {entrance: recipients.labels(entrance) for entrance in Entrance}
        attempts = Counter(
            "smarthost_delivery_attempts",
            "Attempts that ended, one for each recipient.",
            ("relay", "result", "code"),
            registry=registry,
        )
        durations = Histogram(
            "smarthost_delivery_attempt_duration_seconds",
            "How long the attempts took, one for each message.",
            ("relay",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._webhooks = Counter(
            "smarthost_webhook_deliveries",
            "Events that were sent to a webhook's receiver.",
            ("result",),
            registry=registry,
        )
        self._webhooks.labels("taken")
        self._attempts = cache(attempts.labels)
        self._durations = cache(durations.labels)
        self._relays = RelayLabels()

    def accepted(self, entrance: Entrance, messages: int, recipients: int) -> None:
        """Count what was accepted together."""
        self._messages[entrance].inc(messages)
        self._recipients[entrance].inc(recipients)

    def relay(self, host: str | None, port: int | None, *, default: bool) -> str:
        """Return what the relay is called in the calls below."""
        return self._relays.of(host, port, default=default)

    def attempt_ended(self, relay: str, result: str, code: str) -> None:
        """Count what became of one recipient; `code` is empty where the relay took it."""
        self._attempts(relay, result, code).inc()

    def attempt_took(self, relay: str, seconds: float) -> None:
        """Take down how long a message's attempt took."""
        self._durations(relay).observe(seconds)

    def webhook_called(self, result: str) -> None:
        """Count an event that was sent: `taken`, or why not."""
        self._webhooks.labels(result).inc()
