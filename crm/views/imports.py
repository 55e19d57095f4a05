"""Imports: the list, the upload, and where each import is."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_safe

from accounts.permissions import MANAGERS, roles_required
from common.errors import DomainError
from common.keyset import keyset_page
from common.requests import actor_of
from common.time import now
from crm.forms.imports import UploadForm
from crm.forms.refusals import show_refusal
from crm.imports.batches import imports_folder
from crm.imports.kinds import kinds
from crm.models import ImportBatch
from crm.selectors.actors import names_of_actors
from crm.selectors.import_matching import first_match
from crm.selectors.import_words import kind_label, size_text
from crm.selectors.imports import get_import, list_imports
from crm.services.import_uploads import (
    discard_upload,
    receive_upload,
    receiving_handlers,
    refuse_size,
)
from crm.services.imports import upload_import
from crm.views.import_results import show_result, tone_of

Status = ImportBatch.Status


@require_safe
@roles_required(read=MANAGERS)
def import_list(request: HttpRequest) -> HttpResponse:
    """Imports, newest first."""
    page = keyset_page(
        list_imports(), order=["-started_at", "-id"], cursor=request.GET.get("cursor", "")
    )
    names = names_of_actors(batch.actor for batch in page.rows)
    context = {
        "imports": [
            {
                "batch": batch,
                "kind": kind_label(batch.kind),
                "who": names.get(batch.actor, ""),
                "tone": tone_of(batch),
            }
            for batch in page.rows
        ],
        **page.urls(request),
    }
    return render(request, "crm/imports/list.html", context)


@csrf_exempt  # so that the handlers are set before the body is read; protected right below
@roles_required(read=MANAGERS)
def import_new(request: HttpRequest) -> HttpResponseBase:
    """Upload a file; larger ones than we take are refused before they are read."""
    if request.method == "POST":
        request.upload_handlers = receiving_handlers(request)
    return _import_new(request)


@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def _import_new(request: HttpRequest) -> HttpResponse:
    kind = request.GET.get("kind", "")
    form = UploadForm(initial={"kind": kind if kind in kinds() else ""})
    if request.method == "POST":
        form = UploadForm(request.POST, request.FILES)
        if form.is_valid():
            try:
                batch = _received(request, form)
            except (DomainError, ValidationError) as error:
                show_refusal(form, error)
            else:
                return redirect("crm:import_match", ref=batch.ref)
    context = {
        "form": form,
        "most_bytes": settings.KEEPWELL_IMPORT_MAX_BYTES,
        "most_size": size_text(settings.KEEPWELL_IMPORT_MAX_BYTES),
        "kept_days": settings.KEEPWELL_IMPORT_FILE_DAYS,
        "step": 1,
    }
    return render(request, "crm/imports/new.html", context, status=422 if form.is_bound else 200)


def _received(request: HttpRequest, form: UploadForm) -> ImportBatch:
    refuse_size(form.cleaned_data["file"].size)
    upload = receive_upload(form.cleaned_data["file"])
    try:
        path = imports_folder() / upload.stored_as
        first = first_match(path, form.cleaned_data["kind"])
        return upload_import(
            upload=upload,
            kind=first.kind,
            mapping=first.mapping,
            source=first.source,
            happened_at=now(),
            actor=actor_of(request),
        )
    except BaseException:
        discard_upload(upload.stored_as)
        raise


@require_safe
@roles_required(read=MANAGERS)
def import_page(request: HttpRequest, ref: str) -> HttpResponse:
    """Wherever the import is: matching, its check, its way, its result."""
    batch = get_import(ref)
    if batch.status == Status.UPLOADED:
        is_checked = batch.checked.get("state") == "done"
        return redirect("crm:import_check" if is_checked else "crm:import_match", ref=ref)
    if batch.status == Status.CHECKING:
        return redirect("crm:import_check", ref=ref)
    return show_result(request, batch)
