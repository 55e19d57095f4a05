"""What standards being followed keep of a customer: codes and times stay, words are forgotten."""

from __future__ import annotations

from typing import Any

from crm.models import Run, StepResult

Rows = list[dict[str, Any]]


def export_runs(customer_ids: list[int]) -> Rows:
    """Which standards were followed for the customers."""
    runs = Run.objects.filter(customer_id__in=customer_ids).order_by("started_at", "pk")
    return [
        dict(row)
        for row in runs.values(
            "ref",
            "version__playbook__key",
            "version__number",
            "trigger",
            "state",
            "started_at",
            "ended_at",
            "ended_why",
        )
    ]


def erase_runs(customer_ids: list[int]) -> int:
    """Forget why runs were given up."""
    return (
        Run.objects.filter(customer_id__in=customer_ids).exclude(ended_why="").update(ended_why="")
    )


def export_step_results(customer_ids: list[int]) -> Rows:
    """What was done, written down or skipped, step by step."""
    results = StepResult.objects.filter(run__customer_id__in=customer_ids)
    return [
        dict(row)
        for row in results.order_by("run__started_at", "run_id", "step__position").values(
            "run__ref", "step__position", "step__titles", "state", "text", "due_at", "decided_at"
        )
    ]


def erase_step_results(customer_ids: list[int]) -> int:
    """Forget answers and reasons; that and when a step was done stays."""
    return (
        StepResult.objects.filter(run__customer_id__in=customer_ids)
        .exclude(text="")
        .update(text="")
    )
