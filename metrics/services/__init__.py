"""Writes of the metrics app."""

from metrics.services.runs import (
    RecomputeRunning,
    recompute,
    recompute_due,
    request_recompute,
)

__all__ = ["RecomputeRunning", "recompute", "recompute_due", "request_recompute"]
