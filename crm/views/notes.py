"""Notes about a customer: a tab of their page; written, changed and put away in place."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.permissions import roles_required
from common.errors import DomainError
from common.keyset import keyset_page
from common.requests import actor_of
from common.time import now
from common.undo import offer_undo
from crm.forms.profile import NoteFilterForm, NoteForm
from crm.forms.refusals import show_refusal
from crm.models import Customer, Note
from crm.roles import WRITERS
from crm.selectors.customers import get_person
from crm.selectors.identity import records_of
from crm.selectors.notes import get_note, list_notes
from crm.services.notes import archive_note, change_note, record_note
from crm.views.tabs import is_fragment, show_tab


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=WRITERS)
def customer_notes_tab(request: HttpRequest, ref: str) -> HttpResponse:
    """What they need and wish, what went wrong and well; newest first."""
    customer = get_person(ref)
    form = NoteForm(request.POST or None, initial={"kind": request.GET.get("new", "")})
    if request.method == "POST" and form.is_valid():
        try:
            record_note(
                customer_id=customer.pk,
                **form.cleaned_data,
                author_id=request.user.pk,
                happened_at=now(),
                actor=actor_of(request),
            )
        except (DomainError, ValidationError) as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("Noted."))
            if not is_fragment(request):
                return redirect("crm:customer_notes", ref=customer.ref)
            form = NoteForm(initial={"kind": form.cleaned_data["kind"]})
    answer = show_tab(
        request,
        customer,
        "notes",
        "crm/parts/notes.html",
        _notes(request, customer) | {"form": form},
        is_continued=bool(request.GET.get("cursor")),
    )
    if form.is_bound:
        answer.status_code = 422
    return answer


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=WRITERS)
def note_edit(request: HttpRequest, ref: str) -> HttpResponse:
    """Change a note in its place."""
    note = get_note(ref)
    form = NoteForm(request.POST or None, initial={"kind": note.kind, "text": note.text})
    if request.method == "POST" and form.is_valid():
        try:
            note = change_note(
                note_id=note.pk, **form.cleaned_data, happened_at=now(), actor=actor_of(request)
            )
        except (DomainError, ValidationError) as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("Saved."))
            if not is_fragment(request):
                return redirect("crm:customer_notes", ref=note.customer.ref)
            return render(request, "crm/parts/note.html", {"note": note, "may_write": True})
    context = {"note": note, "form": form, "customer": note.customer}
    template = "parts/note_form.html" if is_fragment(request) else "note_form.html"
    return render(request, f"crm/{template}", context, status=422 if form.is_bound else 200)


@require_POST
@roles_required(read=WRITERS)
def note_archive(request: HttpRequest, ref: str) -> HttpResponse:
    """Put a note away; ten seconds to take that back."""
    note = get_note(ref)
    archive_note(note_id=note.pk, happened_at=now(), actor=actor_of(request))
    offer_undo(request, _("Note archived."), "notes.archived", note_id=note.pk)
    if is_fragment(request):
        return HttpResponse()  # the note leaves its place
    return redirect("crm:customer_notes", ref=note.customer.ref)


def _notes(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    filters = NoteFilterForm(request.GET)
    page = keyset_page(
        list_notes(records_of(customer.pk), kind=filters.values["kind"] or ""),
        order=["-occurred_at", "-id"],
        cursor=request.GET.get("cursor", ""),
        size=25,
    )
    return {"filters": filters, "notes": page.rows, "kinds": Note.Kind, **page.urls(request)}
