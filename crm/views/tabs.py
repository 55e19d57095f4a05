"""A tab of a customer's page: the tab alone for htmx, else the whole page with the tab open."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.vary import vary_on_headers

from common.registry import customer_tabs
from crm.models import Customer
from crm.roles import may_write


@vary_on_headers("HX-Request")
def show_tab(
    request: HttpRequest,
    customer: Customer,
    name: str,
    template: str,
    context: dict[str, Any],
    *,
    is_continued: bool = False,
) -> HttpResponse:
    """Return a tab's answer.

    name: as registered in ``common.registry.customer_tabs``.  template: the tab without the row of
    tabs.  is_continued: more of a tab that is already there, so no row of tabs for htmx.
    """
    context |= {
        "customer": customer,
        "tab": name,
        "tabs": tabs_of(request, customer),
        "tab_template": template,
        "is_continued": is_continued,
        "may_write": may_write(request.user),
    }
    if not is_fragment(request):
        return render(request, "crm/customer_tab.html", context)
    return render(request, template if is_continued else "crm/parts/tab.html", context)


def tabs_of(request: HttpRequest, customer: Customer) -> list[dict[str, Any]]:
    """Return name, label and address of the tabs this user sees, in order; no query."""
    role = getattr(request.user, "role", None)
    return [
        {"name": tab.name, "label": tab.label, "url": reverse(tab.url_name, args=[customer.ref])}
        for tab in sorted(customer_tabs, key=lambda one: one.order)
        if role in tab.roles
    ]


def is_fragment(request: HttpRequest) -> bool:
    """Whether htmx asks for a piece of the page; going back in the history asks for all of it."""
    htmx: Any = request.htmx  # type: ignore[attr-defined]
    return bool(htmx) and not htmx.history_restore_request
