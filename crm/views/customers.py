"""The list of customers."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.permissions import roles_required
from common.keyset import keyset_page
from crm.forms import CustomerFilterForm
from crm.roles import READERS, may_write, sees_contacts
from crm.selectors.lists import list_customers
from crm.selectors.search import search_customers
from crm.tables import customer_rows


@require_safe
@roles_required(read=READERS)
def customer_list(request: HttpRequest) -> HttpResponse:
    """Everybody, newest first, or whom a search finds."""
    form = CustomerFilterForm(request.GET)
    asked = form.values
    shop = asked["shop"]
    customers = list_customers(stage=asked["stage"] or "", location_id=shop.pk if shop else None)
    context: dict[str, Any] = {"form": form, "may_write": may_write(request.user)}
    if asked["q"] or "q" in form.errors:
        found = search_customers(
            asked["q"] or "",
            within=({"stage": asked["stage"]} if asked["stage"] else {})
            | ({"location_id": shop.pk} if shop else {}),
            may_see_contacts=sees_contacts(request.user),
        )
        context["is_search"] = True
    else:
        page = keyset_page(customers, order=["-id"], cursor=request.GET.get("cursor", ""))
        found = page.rows
        context |= page.urls(request)
    context["rows"] = customer_rows(found, request.user)
    return render(request, "crm/customer_list.html", context)
