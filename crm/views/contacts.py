"""Contacts: taking one down from anywhere, a customer's contact log, and the files of contacts."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe
from django.views.decorators.vary import vary_on_headers

from accounts.permissions import roles_required
from common.errors import DomainError, NotFound
from common.keyset import cursor_url, keyset_page
from common.requests import actor_of
from common.time import now
from crm.forms.contacts import MOST_SHOWN, ContactForm
from crm.forms.refusals import show_refusal
from crm.models import Channel, Conversation, Customer, Interaction
from crm.roles import READERS, WRITERS, sees_contacts
from crm.selectors import get_customer
from crm.selectors.contacts import contacts_of
from crm.selectors.identity import siblings_of
from crm.selectors.inbox import get_conversation
from crm.selectors.interactions import get_attachment, list_interactions
from crm.selectors.search import search_customers
from crm.services.interactions import NewContact, record_interaction
from crm.tables import shown_contact
from crm.views.tabs import is_fragment, show_tab


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=WRITERS)
@vary_on_headers("HX-Request")
def contact_new(request: HttpRequest) -> HttpResponse:
    """Log a contact: a dialog for htmx, a page without."""
    customer, conversation = _prefilled(request)
    data = request.POST.copy() if request.method == "POST" else None
    if data is not None and customer is not None:
        data["customer_ref"] = customer.ref
    form = ContactForm(
        data,
        initial={
            "channel": conversation.channel if conversation else Channel.PHONE,
            "direction": Interaction.Direction.OUTBOUND,
        },
        auto_id="contact-%s",
    )
    if conversation is not None and customer is None:
        form.takes_anybody = True
    if form.is_bound and form.is_valid():
        try:
            interaction = record_interaction(
                contact=_contact(form, request, conversation),
                follow_up=form.follow_up(),
                happened_at=now(),
                actor=actor_of(request),
            )
        except (DomainError, ValidationError) as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("The contact is logged."))
            return _logged(request, interaction)
    context = {
        "form": form,
        "customer": customer,
        "conversation": conversation,
        "people": _people(form.found, request) if len(form.found) > 1 else [],
    }
    template = "crm/parts/contact_dialog.html" if is_fragment(request) else "crm/contact_form.html"
    return render(request, template, context, status=422 if form.is_bound else 200)


@require_safe
@roles_required(read=WRITERS)
def contact_people(request: HttpRequest) -> HttpResponse:
    """Whom the letters typed so far may mean, to choose one."""
    named = request.GET.get("customer", "")
    found = search_customers(named)[:MOST_SHOWN] if len(named.strip()) > 1 else []
    context = {"people": _people(found, request), "named": named.strip()}
    return render(request, "crm/parts/contact_people.html", context)


@require_safe
@roles_required(read=READERS)
def customer_contacts(request: HttpRequest, ref: str) -> HttpResponse:
    """A customer's contact log, newest first."""
    customer = get_customer(ref)
    cursor = request.GET.get("cursor", "")
    page = keyset_page(
        list_interactions(customer_ids=siblings_of(customer.pk)),
        order=["-occurred_at", "-id"],
        cursor=cursor,
        size=25,
    )
    context = {
        "contacts": page.rows,
        "earlier_url": cursor_url(request, page.next_cursor),
        "sees_texts": sees_contacts(request.user),
    }
    return show_tab(
        request,
        customer,
        "contacts",
        "crm/parts/customer_contacts.html",
        context,
        is_continued=bool(cursor),
    )


@require_safe
@roles_required(read=WRITERS)
def contact_file(request: HttpRequest, ref: str) -> HttpResponse:
    """Download a file; it is never shown in a page."""
    found = get_attachment(ref)
    try:
        content = found.file.open("rb")
    except FileNotFoundError as error:
        raise NotFound from error
    answer: Any = FileResponse(
        content, as_attachment=True, filename=found.name, content_type=found.content_type
    )
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-store"
    return cast(HttpResponse, answer)


def _people(customers: list[Customer], request: HttpRequest) -> list[dict[str, Any]]:
    """What tells people of the same name apart; one query."""
    contacts = contacts_of([customer.pk for customer in customers])
    return [
        {"customer": customer, "contact": shown_contact(contacts[customer.pk], request.user)}
        for customer in customers
    ]


def _prefilled(request: HttpRequest) -> tuple[Customer | None, Conversation | None]:
    asked = request.POST if request.method == "POST" else request.GET
    if ref := asked.get("conversation"):
        conversation = get_conversation(ref)
        return conversation.customer, conversation
    if known := request.POST.get("for") or request.GET.get("customer"):
        return get_customer(known), None
    return None, None


def _contact(
    form: ContactForm, request: HttpRequest, conversation: Conversation | None
) -> NewContact:
    data: dict[str, Any] = form.cleaned_data
    person = data.get("person")
    return NewContact(
        channel=data["channel"],
        direction=data["direction"],
        outcome=data["outcome"],
        text=data["text"],
        customer_id=person.pk if person else None,
        sender="" if person else data["customer"],
        occurred_at=data["occurred_at"],
        conversation_id=conversation.pk if conversation else None,
        needs_answer={"yes": True, "no": False}.get(data["answer"]),
        author_id=request.user.pk,
    )


def _logged(request: HttpRequest, interaction: Interaction) -> HttpResponse:
    if is_fragment(request):
        # The dialog is emptied, which closes it; lists that show contacts listen.
        return HttpResponse("", headers={"HX-Trigger": "contact-logged"})
    if interaction.customer is not None:
        return redirect("crm:customer", ref=interaction.customer.ref)
    return redirect("crm:conversation", ref=interaction.conversation.ref)
