"""Files beside a customer: put there, downloaded, removed."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.permissions import roles_required
from common.errors import DomainError
from common.requests import actor_of
from common.time import now
from crm.forms.profile import FileForm
from crm.forms.refusals import show_refusal
from crm.models import Customer
from crm.roles import WRITERS
from crm.selectors.customers import get_person
from crm.selectors.files import files_of, get_customer_file
from crm.selectors.identity import records_of
from crm.services.attachments import record_attachment
from crm.services.customer_files import remove_customer_file
from crm.views.tabs import is_fragment


@require_POST
@roles_required(read=WRITERS)
def customer_files(request: HttpRequest, ref: str) -> HttpResponse:
    """Put a file beside a customer."""
    customer = get_person(ref)
    form = FileForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            record_attachment(
                file=form.cleaned_data["file"],
                customer_id=customer.pk,
                happened_at=now(),
                actor=actor_of(request),
            )
        except (DomainError, ValidationError) as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("The file is kept."))
            form = FileForm()
    return _card(request, customer, form)


@require_safe
@roles_required(read=WRITERS)
def customer_file(request: HttpRequest, ref: str) -> FileResponse:
    """Download a file; never shown as a page of ours, whatever it says it is."""
    found = get_customer_file(ref)
    try:
        content = found.file.open("rb")
    except FileNotFoundError as error:  # the row outlived its file, as after half a restore
        raise Http404 from error
    answer = FileResponse(
        content, as_attachment=True, filename=found.name, content_type=found.content_type
    )
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-store"
    return answer


@require_POST
@roles_required(read=WRITERS)
def customer_file_remove(request: HttpRequest, ref: str) -> HttpResponse:
    """Remove a file for good."""
    found = get_customer_file(ref)
    customer = get_person(found.customer.ref) if found.customer else None
    remove_customer_file(attachment_id=found.pk, happened_at=now(), actor=actor_of(request))
    messages.success(request, _("The file is removed."))
    if customer is None:
        raise Http404
    return _card(request, customer, FileForm())


def _card(request: HttpRequest, customer: Customer, form: FileForm) -> HttpResponse:
    status = 422 if form.is_bound else 200
    if not is_fragment(request) and not form.is_bound:
        return redirect("crm:customer", ref=customer.ref)
    context = {
        "customer": customer,
        "files": files_of(records_of(customer.pk)),
        "file_form": form,
        "may_write": True,
        "reads_texts": True,
        "card_template": "crm/parts/files.html",
    }
    template = "crm/parts/files.html" if is_fragment(request) else "crm/customer_card.html"
    return render(request, template, context, status=status)
