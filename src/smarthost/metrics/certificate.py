"""The certificate that clients are shown; without one there is nothing to tell."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector


class Shown(NamedTuple):
    """The certificate in force."""

    expires: float
    """Seconds since 1970, UTC."""
    up_to_date: bool
    """Whether it is the one in the files."""


class CertificateMetrics(Collector):
    """Asks for the certificate when the metrics are read."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._shown: Callable[[], Shown] | None = None
        registry.register(self)

    def show(self, shown: Callable[[], Shown]) -> None:
        """Tell of a certificate from now on."""
        self._shown = shown

    def collect(self) -> Iterator[Metric]:
        """Give the metrics; called by the registry."""
        if self._shown is None:
            return
        shown = self._shown()
        yield GaugeMetricFamily(
            "smarthost_tls_certificate_expiry_timestamp_seconds",
            "When the certificate in force expires.",
            shown.expires,
        )
        yield GaugeMetricFamily(
            "smarthost_tls_certificate_up_to_date",
            "1: the certificate in the files is in force; 0: they hold one that cannot be used.",
            shown.up_to_date,
        )
