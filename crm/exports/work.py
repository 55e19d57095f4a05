"""Tasks and service standards under way as files; who serves customers takes out their own."""

from __future__ import annotations

from typing import Any, get_args

from common.exports import Asked, Export, export_of, register_export
from crm.exports.names import colleague, customer_id, customer_name, shop_code
from crm.exports.roles import LISTS, OWN_WORK, takes_only_own
from crm.forms.standards import PeriodForm, RunFilterForm
from crm.forms.tasks import TaskFilterForm
from crm.models import Run
from crm.roles import may_write, reads_texts
from crm.selectors.runs import list_runs
from crm.selectors.scorecard import scorecard
from crm.selectors.tasks import Scope, list_tasks, locations_of, order_of

SCORECARD = (
    "dimension",
    "name",
    "started",
    "completed",
    "given_up",
    "skipped_steps",
    "on_time",
    "due",
    "on_time_share",
    "median_seconds",
)


def register() -> None:
    """Called once, when the apps are ready."""
    register_export("tasks", roles=OWN_WORK, open=open_tasks)
    register_export("standard_runs", roles=OWN_WORK, open=open_runs)
    register_export("standard_scorecard", roles=LISTS, open=open_scorecard)


def open_tasks(asked: Asked) -> Export:
    """Tasks as the page shows them; what was written about them for who reads words."""
    values = TaskFilterForm(asked.query).values
    shown = asked.query.get("show", "mine")
    scope: Scope = shown if shown in get_args(Scope) else "mine"  # type: ignore[assignment]
    assignee, shop, user_id = values["assignee"], values["shop"], int(asked.user.pk)
    tasks = list_tasks(
        scope=scope,
        user_id=user_id,
        location_ids=locations_of(user_id) if scope in ("team", "unassigned") else (),
        now=asked.at,
        assignee_id=assignee.pk if assignee and scope != "mine" else None,
        origin=values["origin"] or "",
        location_id=shop.pk if shop else None,
    )
    if takes_only_own(asked.user):
        tasks = tasks.filter(assignee_id=user_id)
    columns: dict[str, Any] = {
        "task_id": lambda task: task.ref,
        "title": lambda task: task.title,
        "customer_id": lambda task: customer_id(task.customer),
        "customer_name": lambda task: customer_name(task.customer),
        "due_at": lambda task: task.due_at,
        "assignee": lambda task: colleague(task.assignee),
        "location": lambda task: shop_code(task.location),
        "origin": lambda task: task.origin,
        "status": lambda task: task.status,
        "created_at": lambda task: task.created_at,
        "finished_at": lambda task: task.finished_at,
    }
    if reads_texts(asked.user):
        columns |= {"text": lambda task: task.text, "result": lambda task: task.result}
    return export_of(
        tasks,
        order=order_of(scope),
        columns=columns,
        filters={
            "show": scope,
            "assignee_id": assignee and assignee.pk,
            "origin": values["origin"],
            "location": shop and shop.code,
        },
    )


def open_runs(asked: Asked) -> Export:
    """Runs as the page shows them."""
    values = RunFilterForm(asked.query).values
    view = values["view"] or ("mine" if may_write(asked.user) else "open")
    standard, shop = values["standard"], values["shop"]
    runs = list_runs(
        view=view,
        user_id=asked.user.pk,
        playbook_id=standard.pk if standard else None,
        location_id=shop.pk if shop else None,
        now=asked.at,
    ).filter(customer__erased_at__isnull=True)
    if takes_only_own(asked.user):
        runs = runs.filter(owner_id=asked.user.pk)
    columns: dict[str, Any] = {
        "run_id": lambda run: run.ref,
        "standard": lambda run: run.version.playbook.key,
        "version": lambda run: run.version.number,
        "customer_id": lambda run: customer_id(run.customer),
        "customer_name": lambda run: customer_name(run.customer),
        "location": lambda run: shop_code(run.location),
        "owner": lambda run: colleague(run.owner),
        "starts": lambda run: run.trigger,
        "state": lambda run: run.state,
        "started_at": lambda run: run.started_at,
        "due_at": lambda run: run.due_at,
        "next_due_at": lambda run: run.next_due_at,
        "ended_at": lambda run: run.ended_at,
        "on_time": _on_time,
    }
    if reads_texts(asked.user):
        columns["reason"] = lambda run: run.ended_why
    return export_of(
        runs,
        order=("-ended_at", "-id") if view == "ended" else ("next_due_at", "id"),
        columns=columns,
        filters={
            "view": view,
            "standard": standard and standard.key,
            "location": shop and shop.code,
        },
    )


def open_scorecard(asked: Asked) -> Export:
    """How well standards were kept in the period that the page shows."""
    form = PeriodForm(asked.query)
    since, until = form.instants
    standard, shop = form.values["standard"], form.values["shop"]
    card = scorecard(
        since,
        until,
        now=asked.at,
        playbook_id=standard.pk if standard else None,
        location_id=shop.pk if shop else None,
    )
    lines = [
        (
            part,
            tally.label,
            tally.started,
            tally.completed,
            tally.given_up,
            tally.skipped,
            tally.on_time,
            tally.due,
            "" if tally.share is None else f"{tally.share:.4f}",
            tally.seconds,
        )
        for part, tallies in card.parts()
        for tally in tallies
    ]
    return Export(
        columns=SCORECARD,
        lines=lines,
        count=lambda: len(lines),
        filters={
            "since": since.isoformat(),
            "until": until.isoformat(),
            "standard": standard and standard.key,
            "location": shop and shop.code,
        },
    )


def _on_time(run: Run) -> bool | None:
    return None if run.ended_at is None else run.ended_at <= run.due_at
