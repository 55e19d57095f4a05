"""Consent, export and erasure of one customer, and how long data are kept."""

from __future__ import annotations

import tempfile
from typing import Any, cast

from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.permissions import ADMINS, MANAGERS, roles_required
from common.errors import DomainError, InvalidInput
from common.requests import actor_of
from common.time import now
from crm.consent_texts import current_version
from crm.forms.privacy import CameBackForm, ConsentForm, ErasureForm, RetentionForm, field_of
from crm.forms.refusals import show_refusal
from crm.models import Customer, RetentionPeriod
from crm.roles import READERS, WRITERS, may_write
from crm.selectors.consent import consent_board
from crm.selectors.customers import get_customer, get_person
from crm.selectors.erased import exports_of
from crm.selectors.identity import records_of
from crm.services import record_consent
from crm.services.erased import welcome_back
from crm.services.erasure import erase_customer
from crm.services.exports import export_customer
from crm.services.retention import preview_period, set_retention_period
from crm.views.tabs import show_tab

SOURCES = {
    "staff": gettext_lazy("told a colleague"),
    "portal": gettext_lazy("on their own page"),
    "api": gettext_lazy("from another system"),
    "import": gettext_lazy("from an import"),
    "unsubscribe": gettext_lazy("by the link in an email"),
}


@require_safe
@roles_required(read=READERS)
def customer_privacy(request: HttpRequest, ref: str) -> HttpResponse:
    """What a customer agreed to, by which words; export and erasure for those who may."""
    customer = get_person(ref)
    board = consent_board(customer.pk)
    context = {
        "board": board,
        "sources": SOURCES,
        "exports": exports_of(customer.ref),
        "records": len(records_of(customer.pk)),
        "may_export": may_write(request.user, MANAGERS),
        "may_erase": may_write(request.user, ADMINS),
    }
    return show_tab(request, customer, "privacy", "crm/parts/privacy.html", context)


@require_POST
@roles_required(read=WRITERS)
def customer_consent(request: HttpRequest, ref: str) -> HttpResponse:
    """Take down that a customer gave or withdrew consent."""
    customer = get_customer(ref)
    back = "crm:customer_privacy" if request.POST.get("back") == "privacy" else "crm:customer"
    form = ConsentForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Nothing was saved: that is no consent we know."))
        return redirect(back, ref=customer.ref)
    is_granted = form.cleaned_data["is_granted"] == "yes"
    record_consent(
        customer_id=customer.pk,
        purpose=form.cleaned_data["purpose"],
        channel=form.cleaned_data["channel"],
        is_granted=is_granted,
        happened_at=now(),
        actor=actor_of(request),
        source="staff",
        text_version=current_version() if is_granted else "",
    )
    messages.success(request, _("Consent recorded.") if is_granted else _("Consent withdrawn."))
    return redirect(back, ref=customer.ref)


@require_POST
@roles_required(read=MANAGERS)
def customer_data(request: HttpRequest, ref: str) -> HttpResponse:
    """Everything that is kept about a person, as a ZIP to save."""
    return download_of(get_person(ref), request, how="page")


def download_of(
    customer: Customer, request: HttpRequest, *, how: str, is_own: bool = False
) -> HttpResponse:
    """Return the ZIP of an export; it is never kept here."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the answer closes it
    export_customer(
        customer_id=customer.pk,
        target=file,
        happened_at=now(),
        actor=f"customer:{customer.pk}" if is_own else actor_of(request),
        how=how,
        is_own=is_own,
    )
    file.seek(0)
    answer = FileResponse(
        file,
        as_attachment=True,
        filename=f"keepwell-{customer.ref}.zip",
        content_type="application/zip",
    )
    answer["Cache-Control"] = "no-store"
    return cast(HttpResponse, answer)  # streamed


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=ADMINS)
def customer_erase(request: HttpRequest, ref: str) -> HttpResponse:
    """Forget a person, after the reference was typed in."""
    customer = get_person(ref)
    form = ErasureForm(request.POST or None, ref=customer.ref)
    if request.method == "POST" and form.is_valid():
        erase_customer(customer_id=customer.pk, happened_at=now(), actor=actor_of(request))
        messages.success(request, _("The person is erased. Figures of the past stay as they were."))
        return redirect("crm:customer_list")
    context = {"form": form, "customer": customer, "records": len(records_of(customer.pk))}
    status = 422 if form.is_bound else 200
    return render(request, "crm/customer_erase.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=ADMINS)
def privacy(request: HttpRequest) -> HttpResponse:
    """How long each kind of personal data is kept; who came back after erasure."""
    form = RetentionForm(request.POST or None, initial=_periods())
    if request.method == "POST" and form.is_valid():
        for subject, days in form.periods().items():
            set_retention_period(
                subject=subject, days=days, happened_at=now(), actor=actor_of(request)
            )
        messages.success(request, _("Saved. It takes effect in the coming night."))
        return redirect("crm:privacy")
    return _privacy_page(request, form, CameBackForm(), status=422 if form.is_bound else 200)


@require_safe
@roles_required(read=ADMINS)
def privacy_preview(request: HttpRequest) -> HttpResponse:
    """How much a period would forget now, as it is typed in."""
    subject = request.GET.get("subject", "")
    if subject not in RetentionPeriod.Subject.values:
        raise InvalidInput
    form = RetentionForm(request.GET)
    form.full_clean()
    days = form.cleaned_data.get(field_of(subject))
    preview = preview_period(subject=subject, days=days, now=now()) if days else None
    context = {"preview": preview, "has_error": field_of(subject) in form.errors}
    return render(request, "crm/parts/privacy_preview.html", context)


@require_POST
@roles_required(read=ADMINS)
def privacy_came_back(request: HttpRequest) -> HttpResponse:
    """Let somebody be recorded again who came back by themselves."""
    form = CameBackForm(request.POST)
    if form.is_valid():
        try:
            welcome_back(happened_at=now(), actor=actor_of(request), **form.cleaned_data)
        except DomainError as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("They may be recorded again, as somebody new."))
            return redirect("crm:privacy")
    return _privacy_page(request, RetentionForm(initial=_periods()), form, status=422)


def _periods() -> dict[str, Any]:
    rows = RetentionPeriod.objects.values_list("subject", "days")
    return {field_of(subject): days for subject, days in rows}


def _privacy_page(
    request: HttpRequest, form: RetentionForm, came_back: CameBackForm, *, status: int
) -> HttpResponse:
    context = {
        "lines": [
            {"subject": subject, "field": form[field_of(subject)]}
            for subject in RetentionPeriod.Subject.values
        ],
        "form": form,
        "came_back": came_back,
    }
    return render(request, "crm/privacy.html", context, status=status)
