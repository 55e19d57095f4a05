"""Customers who look alike: the list, two side by side, merging and taking that back."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts.permissions import MANAGERS, roles_required
from common.errors import DomainError
from common.keyset import keyset_page
from common.requests import actor_of
from common.time import now
from common.undo import offer_undo
from crm.forms.duplicates import CompareForm, RemainForm
from crm.models import DuplicatePair
from crm.selectors.contacts import contacts_of
from crm.selectors.customers import get_person
from crm.selectors.pairs import (
    certain_pairs,
    find_pair,
    list_open_pairs,
    reasons_of,
    sides_of,
)
from crm.services.duplicates import dismiss_pair, merge_certain
from crm.services.merges import merge_customers, undo_merge

PAGE_SIZE = 25


@require_safe
@roles_required(read=MANAGERS)
def duplicate_list(request: HttpRequest) -> HttpResponse:
    """Pairs to review, the likest first; or any two, to compare."""
    asked = {"one", "other"} & set(request.GET)
    form = CompareForm(request.GET if asked else None)
    if asked and form.is_valid():
        one, other = form.cleaned_data["one"], form.cleaned_data["other"]
        return redirect("crm:duplicate", first=one.ref, second=other.ref)
    page = keyset_page(
        list_open_pairs(),
        order=["-score", "id"],
        cursor=request.GET.get("cursor", ""),
        size=PAGE_SIZE,
    )
    contacts = contacts_of({one for pair in page.rows for one in (pair.first_id, pair.second_id)})
    rows = [
        {
            "pair": pair,
            "people": [
                {"customer": customer, "contact": contacts[customer.pk]}
                for customer in (pair.first, pair.second)
            ],
            "reasons": reasons_of(pair.reasons),
        }
        for pair in page.rows
    ]
    context = {"rows": rows, "form": form, "certain": len(certain_pairs()), **page.urls(request)}
    return render(request, "crm/duplicate_list.html", context, status=422 if asked else 200)


@require_safe
@roles_required(read=MANAGERS)
def duplicate(request: HttpRequest, first: str, second: str) -> HttpResponse:
    """Two customers side by side."""
    one, other = get_person(first), get_person(second)
    if one == other:
        messages.info(request, _("Both are one and the same customer already."))
        return redirect("crm:customer", ref=one.ref)
    sides = sides_of([one.pk, other.pk])
    pair = find_pair(one.pk, other.pk)
    # Who has more purchases, then who is known for longer.
    remains = max(sides, key=lambda side: (side.orders, -side.customer.pk))
    context = {
        "sides": sides,
        "remains": remains,
        "pair": pair,
        "is_dismissed": pair is not None and pair.state == DuplicatePair.State.DISMISSED,
        "reasons": reasons_of(pair.reasons) if pair else [],
    }
    return render(request, "crm/duplicate.html", context)


@require_POST
@roles_required(read=MANAGERS)
def duplicate_merge(request: HttpRequest, first: str, second: str) -> HttpResponse:
    """Merge two customers; the form says who remains."""
    one, other = get_person(first), get_person(second)
    form = RemainForm(request.POST, refs=(one.ref, other.ref))
    if not form.is_valid():
        messages.error(request, _("Nothing was merged: choose who remains."))
        return redirect("crm:duplicate", first=first, second=second)
    remains, joins = (one, other) if form.cleaned_data["person"] == one.ref else (other, one)
    try:
        merge = merge_customers(
            person_id=remains.pk,
            record_id=joins.pk,
            source="staff",
            happened_at=now(),
            actor=actor_of(request),
        )
    except DomainError as error:
        messages.error(request, str(error))
        return redirect("crm:duplicate_list")
    said = _("%(record)s is now a record of %(person)s.") % {"record": joins, "person": remains}
    offer_undo(request, said, "customers.merged", merge_ref=merge.ref)
    return redirect("crm:duplicate_list")


@require_POST
@roles_required(read=MANAGERS)
def duplicate_dismiss(request: HttpRequest, first: str, second: str) -> HttpResponse:
    """Note that two customers are not the same."""
    one, other = get_person(first), get_person(second)
    try:
        pair = dismiss_pair(
            first_id=one.pk, second_id=other.pk, happened_at=now(), actor=actor_of(request)
        )
    except DomainError as error:
        messages.error(request, str(error))
    else:
        said = _("Noted: not the same. They won't be shown together again.")
        offer_undo(request, said, "customers.told_apart", pair_id=pair.pk)
    return redirect("crm:duplicate_list")


@require_POST
@roles_required(read=MANAGERS)
def duplicates_certain(request: HttpRequest) -> HttpResponse:
    """Merge all pairs with the same email and the same name."""
    merges = merge_certain(happened_at=now(), actor=actor_of(request))
    if merges:
        said = ngettext("%(count)s pair merged.", "%(count)s pairs merged.", len(merges)) % {
            "count": len(merges)
        }
        offer_undo(request, said, "customers.merged_all", merge_refs=[one.ref for one in merges])
    else:
        messages.info(request, _("No pair is certain any more; nothing was merged."))
    return redirect("crm:duplicate_list")


@require_POST
@roles_required(read=MANAGERS)
def merge_undo(request: HttpRequest, ref: str) -> HttpResponse:
    """Take a merge back, however long ago it was."""
    merge = undo_merge(merge_ref=ref, happened_at=now(), actor=actor_of(request))
    messages.success(request, _("%(record)s stands alone again.") % {"record": merge.record})
    return redirect("crm:customer", ref=merge.record.ref)
