"""The last step of an import: its way, what came of it, and taking it back."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.permissions import MANAGERS, roles_required
from common.errors import DomainError
from common.requests import actor_of
from common.spreadsheets import BOM, safe_cell
from common.time import Period, now
from crm.models import ImportBatch
from crm.selectors.actors import names_of_actors
from crm.selectors.import_totals import (
    all_totals,
    also_made,
    batch_totals,
    file_totals,
    foreign_side_by_side,
    side_by_side,
)
from crm.selectors.import_words import column_label, created_label, kind_choices, kind_label
from crm.selectors.imports import (
    get_import,
    grouped_rejects,
    list_rejects,
    progress_of,
    rejected_rows,
)
from crm.services.import_undo import begin_undo, why_not
from crm.services.import_uploads import stored_path
from crm.services.imports import cancel_import, pause_import, resume_import

Status = ImportBatch.Status
BUSY = (Status.QUEUED, Status.RUNNING, Status.UNDOING)


def show_result(request: HttpRequest, batch: ImportBatch) -> HttpResponse:
    """An import under way, or what came of it."""
    context: dict[str, Any] = {
        "batch": batch,
        "kind": kind_label(batch.kind),
        "who": names_of_actors([batch.actor]).get(batch.actor, ""),
        "progress": progress_of(batch),
        "is_busy": batch.status in BUSY,
        "is_under_way": batch.status in (*BUSY, Status.PAUSED),
        "tone": tone_of(batch),
        "has_totals": batch.kind in ("orders", "customers") and batch.status == Status.DONE,
        "step": 5,
    }
    if not context["is_under_way"]:
        beside = also_made(batch)
        context |= {
            "made": batch.created + sum(beside.values()),
            "problems": [
                (column_label(one.column), one)
                for one in (grouped_rejects(batch) if batch.rejected else ())
            ],
            "created_label": created_label(batch.kind),
            "also_made": [(created_label(one), count) for one, count in beside.items()],
            "shows_figures": batch.kind == "orders" and batch.status == Status.DONE,
            "next_kinds": _next_kinds(batch) if batch.status == Status.DONE else [],
            "error": _error_of(batch),
            "left": batch.checked.get("left", 0),
        }
        if batch.status != Status.UNDONE and (batch.created or batch.updated):
            context |= {"may_undo": True, "reasons": [one.text for one in why_not(batch)]}
    return render(request, "crm/imports/result.html", context)


@require_safe
@roles_required(read=MANAGERS)
def import_status(request: HttpRequest, ref: str) -> HttpResponse:
    """How far a check or an import is; once it is at its end, the whole page anew."""
    batch = get_import(ref)
    is_busy = batch.status in (*BUSY, Status.CHECKING)
    if not is_busy:
        return HttpResponse(status=204, headers={"HX-Refresh": "true"})
    progress = progress_of(batch)
    says = request.GET.get("said", "") != str(progress.said)
    context = {"batch": batch, "progress": progress, "is_busy": True, "says": says}
    return render(request, "crm/imports/progress.html", context)


@require_POST
@roles_required(read=MANAGERS)
def import_steer(request: HttpRequest, ref: str, action: str) -> HttpResponse:
    """Pause, go on, stop, or take back."""
    batch = get_import(ref)
    happening: dict[str, Any] = {"happened_at": now(), "actor": actor_of(request)}
    try:
        if action == "pause":
            pause_import(batch_id=batch.pk)
        elif action == "resume":
            resume_import(batch_id=batch.pk)
        elif action == "cancel":
            was_written = bool(batch.rows_total)
            cancel_import(batch_id=batch.pk, **happening)
            if not was_written:
                messages.success(request, _("The file is deleted. Nothing was written."))
                return redirect("crm:import_list")
        else:
            begin_undo(batch=batch, actor=happening["actor"])
    except DomainError as error:
        messages.error(request, " ".join([str(error), *error.fields.get("import", [])]))
    return redirect("crm:import", ref=ref)


@require_safe
@roles_required(read=MANAGERS)
def import_totals(request: HttpRequest, ref: str) -> HttpResponse:
    """Totals per month to compare with one's own books: the file's, the import's, everything's."""
    batch = get_import(ref)
    sides = file_totals(batch), batch_totals(batch), all_totals()
    labels = _("In the file"), _("Made by this import"), _("Altogether")
    context = {
        "batch": batch,
        "is_orders": batch.kind == "orders",
        "sides": sides,
        "named_sides": [one for one in zip(labels, sides, strict=True) if one[1]],
        "foreign": [
            {"currency": currency, "sides": row} for currency, row in foreign_side_by_side(*sides)
        ],
        "rows": [
            {
                "month": Period.parse(row.month).first_day,
                "sides": (row.file, row.made, row.everything),
            }
            for row in side_by_side(*sides)
        ],
    }
    return render(request, "crm/imports/totals.html", context)


@require_safe
@roles_required(read=MANAGERS)
def import_rejects(request: HttpRequest, ref: str) -> HttpResponseBase:
    """Every refused row as CSV: line, column, value, reason."""
    batch = get_import(ref)
    head = ("line", "column", "value", "reason")
    return _download(f"rejects-{batch.ref}.csv", [head], list_rejects(batch))


@require_safe
@roles_required(read=MANAGERS)
def import_rejected_rows(request: HttpRequest, ref: str) -> HttpResponseBase:
    """The refused rows as they stand in the file, to be mended and uploaded again."""
    batch = get_import(ref)
    header, rows = rejected_rows(batch, stored_path(batch))
    return _download(f"to-mend-{batch.ref}.csv", [header], rows)


def _download(
    name: str, head: Iterable[Iterable[Any]], rows: Iterable[Iterable[Any]]
) -> HttpResponseBase:
    answer = StreamingHttpResponse(_csv(head, rows), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-store"
    return answer


def _csv(head: Iterable[Iterable[Any]], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write(BOM)
    writer.writerows(head)
    for number, row in enumerate(rows):
        writer.writerow([safe_cell(cell) for cell in row])
        if number % 200 == 0:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _error_of(batch: ImportBatch) -> str:
    """What went wrong, in words; the name of a defect of ours stands in the log."""
    if batch.error.isidentifier():
        return _(
            "Something went wrong on our side; the people who run Keepwell find it in the log."
        )
    return _(batch.error) if batch.error else ""


def _next_kinds(batch: ImportBatch) -> list[tuple[str, str]]:
    """What is best imported after this."""
    order = [code for code, _label in kind_choices()]
    after = {
        "locations": ["products", "customers"],
        "products": ["customers", "orders"],
        "customers": ["orders"],
        "leads": ["customers", "orders"],
        "orders": ["refunds", "points_balances"],
    }.get(batch.kind, [])
    return [(code, kind_label(code)) for code in after if code in order]


def tone_of(batch: ImportBatch) -> str:
    """The colour of a batch's state."""
    tones: dict[Any, str] = {
        Status.DONE: "yellow" if batch.rejected else "green",
        Status.FAILED: "red",
        Status.STOPPED: "secondary",
        Status.UNDONE: "secondary",
        Status.UPLOADED: "secondary",
        Status.PAUSED: "yellow",
    }
    return tones.get(cast(Any, batch.status), "blue")
