"""Writes of the metrics app."""

from metrics.services.runs import (
    RecomputeRunning,
    recompute,
    recompute_due,
    request_recompute,
)
from metrics.services.trials import discard_trial, request_trial, sweep_trials

__all__ = [
    "RecomputeRunning",
    "discard_trial",
    "recompute",
    "recompute_due",
    "request_recompute",
    "request_trial",
    "sweep_trials",
]
