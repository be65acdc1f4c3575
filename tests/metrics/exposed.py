"""What a reader of the metrics gets, read by the library's own parser."""

from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from smarthost.metrics.metrics import Metrics

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def families(content: bytes) -> dict[str, Metric]:
    """Return what an answer in OpenMetrics holds, by name without `_total` or `_info`."""
    found = text_string_to_metric_families(content.decode())  # type: ignore[no-untyped-call]
    return {one.name: one for one in found}


def exposed(metrics: Metrics) -> dict[str, Metric]:
    exposition = metrics.expose(OPENMETRICS)
    assert exposition.content_type.startswith("application/openmetrics-text")
    return families(exposition.content)


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Return all values by the sample's name and its labels' values, these by their names."""
    return values([one for family in exposed(metrics).values() for one in family.samples])


def values(found: list[Sample]) -> dict[tuple[str, ...], float]:
    return {(one.name, *one.labels.values()): one.value for one in found}
