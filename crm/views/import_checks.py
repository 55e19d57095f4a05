"""The third and fourth step of an import: a check that writes nothing, mending, history or live."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.permissions import MANAGERS, roles_required
from common.errors import DomainError
from common.requests import actor_of
from common.time import now
from crm.forms.imports import DATE_FORMATS, StartForm, format_example, posted_values
from crm.forms.refusals import show_refusal
from crm.models import ImportBatch
from crm.selectors.import_mending import mending_of
from crm.selectors.import_totals import consequences, file_totals
from crm.selectors.import_words import consequence_text, created_label, kind_label
from crm.selectors.imports import get_import, progress_of
from crm.services.import_mending import mend_import
from crm.services.imports import check_import, leave_check, start_import

Status = ImportBatch.Status
RECORDS = ("created", "updated", "unchanged")


@require_safe
@roles_required(read=MANAGERS)
def import_check(request: HttpRequest, ref: str) -> HttpResponse:
    """What the import would do, and what it would refuse, to be mended here."""
    batch = get_import(ref)
    state = batch.checked.get("state", "")
    if batch.status != Status.CHECKING and (batch.status != Status.UPLOADED or not state):
        return redirect(
            "crm:import" if batch.status != Status.UPLOADED else "crm:import_match", ref
        )
    context: dict[str, Any] = {
        "batch": batch,
        "kind": kind_label(batch.kind),
        "created_label": created_label(batch.kind),
        "also_made": [
            (created_label(kind), count)
            for kind, count in (batch.checked.get("also_made") or {}).items()
        ],
        "found": batch.checked,
        "state": "checking" if batch.status == Status.CHECKING else state,
        "progress": progress_of(batch),
        "step": 3,
    }
    if context["state"] == "done":
        mapping_format = batch.mapping.get("date_format", "")
        context |= {
            "is_usable": any(batch.checked.get(name) for name in RECORDS),
            "mending": mending_of(batch),
            "totals": file_totals(batch),
            "date_formats": [
                (one, format_example(one), one == mapping_format) for one in DATE_FORMATS
            ],
        }
    return render(request, "crm/imports/check.html", context)


@require_POST
@roles_required(read=MANAGERS)
def import_mend(request: HttpRequest, ref: str) -> HttpResponse:
    """Replace values, read dates otherwise, make what is missing; then check again."""
    batch = get_import(ref)
    if batch.status == Status.CHECKING:  # pressed twice
        return redirect("crm:import_check", ref=ref)
    try:
        mend_import(
            batch_id=batch.pk,
            values=posted_values(request.POST),
            date_format=request.POST.get("date_format"),
            create_missing=request.POST.get("create_missing") == "yes" or None,
            happened_at=now(),
            actor=actor_of(request),
        )
        check_import(batch_id=batch.pk, happened_at=now(), expected=batch.checked.get("rows") or 0)
    except DomainError as error:
        messages.error(request, str(error))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    return redirect("crm:import_check", ref=ref)


@require_POST
@roles_required(read=MANAGERS)
def import_recheck(request: HttpRequest, ref: str) -> HttpResponse:
    """Check again, or give up a check under way and go back to matching."""
    batch = get_import(ref)
    is_left = request.POST.get("action") == "leave"
    try:
        if is_left:
            leave_check(batch_id=batch.pk)
        else:
            check_import(batch_id=batch.pk, happened_at=now())
    except DomainError as error:
        messages.error(request, str(error))
    return redirect("crm:import_match" if is_left else "crm:import_check", ref=ref)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=MANAGERS)
def import_start(request: HttpRequest, ref: str) -> HttpResponse:
    """History or live, with what would follow from either; then it begins."""
    batch = get_import(ref)
    if batch.status != Status.UPLOADED or batch.checked.get("state") != "done":
        return redirect("crm:import", ref=ref)
    form = StartForm(request.POST or None, initial={"mode": batch.mode})
    if request.method == "POST" and form.is_valid():
        try:
            start_import(
                batch_id=batch.pk,
                mode=form.cleaned_data["mode"],
                happened_at=now(),
                actor=actor_of(request),
            )
        except DomainError as error:
            show_refusal(form, error)
        else:
            return redirect("crm:import", ref=ref)
    context = {
        "batch": batch,
        "kind": kind_label(batch.kind),
        "form": form,
        "found": batch.checked,
        "modes": [
            {
                "value": mode.value,
                "label": mode.label,
                "text": consequence_text(consequences(batch, mode.value)),
            }
            for mode in ImportBatch.Mode
        ],
        "records": sum(batch.checked.get(name) or 0 for name in ("created", "updated")),
        "step": 4,
    }
    return render(request, "crm/imports/start.html", context, status=422 if form.is_bound else 200)
