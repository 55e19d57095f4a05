"""The second step of an import: how the file is read, and what its columns become."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts.permissions import MANAGERS, roles_required
from common.errors import DomainError
from common.requests import own_page
from common.time import now
from crm.forms.imports import (
    MatchForm,
    column_options,
    constant_fields,
    posted_document,
    posted_kind,
    posted_like,
)
from crm.imports.detection import look_at
from crm.imports.mapping import parse_mapping
from crm.imports.suggestions import suggest_mapping
from crm.models import ImportBatch
from crm.selectors.import_matching import Match, fitting, likeness_of, match_of, suggested
from crm.selectors.import_words import kind_label
from crm.selectors.imports import get_import, mapping_of
from crm.services.import_uploads import UploadGone, stored_path
from crm.services.imports import CHANGEABLE, WrongStep, check_import, match_import
from crm.views.tabs import is_fragment

REFERS = {"orders", "refunds", "interactions", "complaints", "survey_responses", "cancel_requests"}


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=MANAGERS)
def import_match(request: HttpRequest, ref: str) -> HttpResponse:
    """Show how the file is read; every change is kept at once, and five rows are read anew."""
    batch = get_import(ref)
    if batch.status not in CHANGEABLE:  # another tab went on
        return _lead(request, reverse("crm:import", args=[ref]))
    reason = ""
    try:
        path = stored_path(batch)
        if request.method == "POST":
            try:
                batch = _kept(request, batch)
            except ValidationError as error:
                reason = " ".join(error.messages)
        match = match_of(path, batch.kind, mapping_of(batch))
    except WrongStep:  # at this very moment
        return _lead(request, reverse("crm:import", args=[ref]))
    except UploadGone as error:
        messages.error(request, str(error))
        return _lead(request, reverse("crm:import_list"))
    except DomainError as error:  # such as another letters' file: choose otherwise
        return _show(request, batch, None, str(error))
    if request.POST.get("action") == "check" and not (reason or match.reason):
        check_import(batch_id=batch.pk, happened_at=now(), expected=match.findings.rows)
        return redirect("crm:import_check", ref=ref)
    return _show(request, batch, match, reason)


def _kept(request: HttpRequest, batch: ImportBatch) -> ImportBatch:
    data = request.POST
    kind = posted_kind(data, batch)
    path = stored_path(batch)
    mapping = parse_mapping(posted_document(data, batch))
    findings = look_at(path, mapping)
    chosen = posted_like(data, kind, findings)
    if chosen is not None:
        mapping = chosen
    elif kind != batch.kind:
        mapping = suggest_mapping(kind, findings)
    else:
        mapping = suggested(kind, findings, fitting(mapping, findings))
    source = data.get("source", "").strip()[:60]
    return match_import(batch_id=batch.pk, kind=kind, mapping=mapping, source=source)


def _show(
    request: HttpRequest, batch: ImportBatch, match: Match | None, reason: str
) -> HttpResponse:
    context: dict[str, Any] = {
        "batch": batch,
        "kind": kind_label(batch.kind),
        "reason": reason or (match.reason if match else ""),
        "is_refused": bool(reason),
        "match": match,
        "step": 2,
    }
    if match is not None:
        like = request.POST.get("like", "")
        source = "" if request.method == "POST" else batch.source
        likeness = likeness_of(batch.kind, like, source, match.findings)
        like = likeness.choice if likeness else ""
        form = MatchForm(match, like=like, source=batch.source)
        ambiguous = match.findings.is_date_unclear
        context |= {
            "form": form,
            "was_like": like,
            "likeness": likeness,
            "sure": likeness.sure if likeness else (),
            "columns": [(column, column_options(match, column)) for column in match.columns],
            "constants": constant_fields(match),
            "kept": set(match.mapping.kept),
            "refers": batch.kind in REFERS,
            "is_orders": batch.kind == "orders",
            "knows_customers": batch.kind in REFERS | {"customers", "leads", "points_balances"},
            "asks_dates": ambiguous,
            "sample_numbers": range(1, 1 + max((len(c.cells) for c in match.columns), default=0)),
        }
    is_piece = is_fragment(request)
    template = "crm/imports/match_body.html" if is_piece else "crm/imports/match.html"
    status = 200 if is_piece or request.method != "POST" else 422
    return render(request, template, context, status=status)


def _lead(request: HttpRequest, address: str) -> HttpResponse:
    if is_fragment(request):
        return HttpResponse(status=204, headers={"HX-Redirect": own_page(address)})
    return redirect(address)
