"""Requests over HTTP: how many, how they were answered, how long it took."""

from collections.abc import Callable
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class HttpMetrics:
    """Counts requests that came whole; what is refused before is no request yet."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._connections = Gauge(
            "smarthost_http_connections", "Open connections.", registry=registry
        )
        requests = Counter(
            "smarthost_http_requests",
            "Requests that were answered.",
            ("method", "route", "status"),
            registry=registry,
        )
        durations = Histogram(
            "smarthost_http_request_duration_seconds",
            "From the end of a request's head to its answer, of events to the last one.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        # The library takes a lock and makes texts to find a series; there are not many.
        self._requests = cache(requests.labels)
        self._durations = cache(durations.labels)

    def answered(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count a request; `route` is the path's template, None where there is nothing there."""
        known = method if method in _METHODS else "other"
        route = route or "none"
        self._requests(known, route, str(status)).inc()
        self._durations(route).observe(seconds)

    def count_connections(self, count: Callable[[], int]) -> None:
        """Have the open connections counted when the metrics are read."""
        self._connections.set_function(count)
