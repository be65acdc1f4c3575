"""All that this process counts and measures, and how Prometheus reads it.

No other room knows the library: each is handed what counts for it. Labels have few values, and
none of them names a portal, a person or a message.
"""

from collections.abc import Mapping, Sequence
from platform import python_version
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Info, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import choose_encoder

from smarthost.metrics.certificate import CertificateMetrics
from smarthost.metrics.commits import CommitMetrics
from smarthost.metrics.families import Family, SideBySide, families_of
from smarthost.metrics.http import HttpMetrics
from smarthost.metrics.mail import MailMetrics
from smarthost.metrics.queue import QueueMetrics
from smarthost.metrics.submission import SubmissionMetrics


class Exposition(NamedTuple):
    """The state of all metrics, in a format that the reader understands."""

    content: bytes
    content_type: str


class Metrics:
    """One set of metrics; what is counted in it is shown by `expose`."""

    def __init__(self, version: str) -> None:
        """`version` is that of the program."""
        # The library's own switch, for the whole process: moments of creation would double the
        # number of series, and tell what a counter's reset tells.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        registry = CollectorRegistry()
        Info("smarthost_build", "The program's version and Python's.", registry=registry).info(
            {"version": version, "python": python_version()}
        )
        self._registry = registry
        self.http = HttpMetrics(registry)
        self.mail = MailMetrics(registry)
        self.submission = SubmissionMetrics(registry)
        self.commits = CommitMetrics(registry)
        self.certificate = CertificateMetrics(registry)
        ProcessCollector(registry=registry)
        # Apart: it is the store's, and every process would tell the same.
        self._of_store = CollectorRegistry()
        self.queue = QueueMetrics(self._of_store)

    def families(self) -> list[Family]:
        """Return what this process has counted, for another one to show."""
        return families_of(self._registry)

    def expose(
        self, accept: str, by_worker: Mapping[int, Sequence[Family]] | None = None
    ) -> Exposition:
        """Return everything, as OpenMetrics where `accept`, the header's value, asks for it.

        `by_worker` has the families of all processes that serve together, in place of this one's.
        """
        together = CollectorRegistry()
        together.register(self._registry if by_worker is None else SideBySide(by_worker))
        together.register(self._of_store)
        encode, content_type = choose_encoder(accept)
        return Exposition(encode(together), content_type)
