"""The command palette: customers by what is typed; pages and actions stand in the page already."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.permissions import roles_required
from crm.roles import READERS, sees_contacts
from crm.selectors.contacts import contacts_of
from crm.selectors.search import search_customers
from crm.tables import shown_contact

SHOWN = 8


@require_safe
@roles_required(read=READERS)
def palette(request: HttpRequest) -> HttpResponse:
    """Customers that what is typed finds, as options; a fragment."""
    words = request.GET.get("q", "")[:200]
    found = search_customers(words, may_see_contacts=sees_contacts(request.user))[:SHOWN]
    contacts = contacts_of([customer.pk for customer in found])
    people = [
        {"customer": one, "contact": shown_contact(contacts[one.pk], request.user)} for one in found
    ]
    context = {"people": people, "has_words": bool(words.strip())}
    return render(request, "crm/parts/palette_people.html", context)
