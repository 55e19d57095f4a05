"""How well service standards are kept."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from metrics.kpis.base import DENOMINATOR, NUMERATOR, Expression, Kpi
from metrics.kpis.retention import named


def define_completion(facts: Any, windows: Any) -> Expression:
    """Runs due in the period that ended in time with every required step done / runs due."""
    runs, steps = facts.runs, facts.run_steps
    lacking = steps.filter(steps.is_required, steps.status != "done").select("run_id").distinct()
    lacking = lacking.select(lacking_run_id="run_id")
    due = windows.inner_join(
        runs, [runs.due_at >= windows.start, runs.due_at < windows.until]
    ).select("window", "customer_id", "run_id", "status", "due_at", "ended_at")
    due = due.left_join(lacking, due.run_id == lacking.lacking_run_id)
    is_kept = (
        (due.status == "completed") & (due.ended_at <= due.due_at) & due.lacking_run_id.isnull()
    ).fill_null(False)
    due = due.mutate(kept=is_kept.cast("int64"))
    amounts = due.group_by(["window", "customer_id"]).aggregate(
        numerator=due.kept.sum().cast("int64"), denominator=due.count()
    )
    known = due.filter(due.customer_id.notnull())
    sets = {NUMERATOR: known.filter(known.kept == 1), DENOMINATOR: known}
    return Expression(
        named(
            {name: rows.select("window", "customer_id").distinct() for name, rows in sets.items()}
        ),
        amounts.mutate(detail=0.0),
    )


PLAYBOOK_COMPLETION = Kpi(
    key="playbook_completion",
    title=_("Standards kept"),
    words=_(
        "Of the service standards that were due in the period, the share that was finished in "
        "time with every required step done. Given up and still open ones count as not kept."
    ),
    example=_("40 were due, 34 of them finished in time with all required steps: 85 %."),
    unit="percent",
    window="period",
    interval="wilson",
    define=define_completion,
    sets={NUMERATOR: _("Served by the standard"), DENOMINATOR: _("A standard was due")},
    group="standards",
    needs=("runs",),
    is_of_purchases=False,
)

KPIS = (PLAYBOOK_COMPLETION,)
