"""Figures of the system itself, read from the database when Prometheus asks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from common.models import Heartbeat
from common.time import now


class BackgroundParts:
    """Seconds since each background part was last alive."""

    def collect(self) -> Iterable[Metric]:
        """Called by Prometheus' registry; one query."""
        yield from self._heartbeats()

    def _heartbeats(self) -> Iterator[Metric]:
        gauge = GaugeMetricFamily(
            "keepwell_heartbeat_age_seconds", "Seconds since the part was alive.", labels=["part"]
        )
        current = now()
        for name, beat_at in Heartbeat.objects.values_list("name", "beat_at"):
            gauge.add_metric([name], (current - beat_at).total_seconds())
        yield gauge


def exposition() -> bytes:
    """Return the gauges in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(BackgroundParts())
    return generate_latest(registry)
