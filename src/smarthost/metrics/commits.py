"""The store: how long the disk takes to keep what is accepted."""

from contextlib import AbstractContextManager

from prometheus_client import CollectorRegistry, Histogram

# A good disk takes less than a millisecond.
_SECONDS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


class CommitMetrics:
    """Measures commits."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._commits = Histogram(
            "smarthost_store_commit_duration_seconds",
            "Commits, each with all changes that shared it.",
            buckets=_SECONDS,
            registry=registry,
        )

    def measured(self) -> AbstractContextManager[object]:
        """Return what is entered for the time of one commit."""
        return self._commits.time()
