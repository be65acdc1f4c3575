"""What one process has counted, as values that can be sent to another, and shown beside its own.

The series of several processes are told apart by a label and not added up: each begins again at
zero with its process, and a sum that falls would be taken for a counter that began again, with
all that the others have counted as if it had just happened.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.registry import Collector

LABEL = "worker"


class Family(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One metric with its series."""

    name: str
    documentation: str
    kind: str
    samples: list[tuple[str, dict[str, str], float]]
    """Name, labels, value."""


def families_of(registry: CollectorRegistry) -> list[Family]:
    """Return what is in a registry at this moment."""
    return [
        Family(
            name=metric.name,
            documentation=metric.documentation,
            kind=metric.type,
            samples=[(one.name, one.labels, one.value) for one in metric.samples],
        )
        for metric in registry.collect()
    ]


def encode(families: Sequence[Family]) -> bytes:
    """Return the octets that `decode` reads."""
    return msgspec.msgpack.encode(families)


def decode(octets: bytes) -> list[Family]:
    """Return what was encoded. Raises `msgspec.DecodeError`."""
    return msgspec.msgpack.decode(octets, type=list[Family])


class SideBySide(Collector):
    """Metrics of several processes, each labelled with its number."""

    def __init__(self, by_worker: Mapping[int, Iterable[Family]]) -> None:
        self._by_worker = by_worker

    def collect(self) -> Iterator[Metric]:
        """Give each metric once, with the series of all."""
        metrics: dict[str, Metric] = {}
        for worker, families in self._by_worker.items():
            for family in families:
                metric = metrics.setdefault(
                    family.name, Metric(family.name, family.documentation, family.kind)
                )
                for name, labels, value in family.samples:
                    metric.add_sample(name, {**labels, LABEL: str(worker)}, value)
        yield from metrics.values()
