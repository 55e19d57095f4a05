"""Two tabs of a customer's page: what happened, and what they bought."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from accounts.models import User
from accounts.permissions import roles_required
from common.keyset import cursor_url, keyset_page
from crm.forms.profile import TimelineFilterForm
from crm.roles import READERS, reads_texts
from crm.selectors.customers import get_person
from crm.selectors.identity import records_of
from crm.selectors.lists import list_orders
from crm.selectors.refunds import with_refunded
from crm.selectors.timeline import TimelineEntry, customer_timeline, timeline_kinds
from crm.views.tabs import show_tab


@require_safe
@roles_required(read=READERS)
def customer_timeline_tab(request: HttpRequest, ref: str) -> HttpResponse:
    """What happened with a customer, newest first."""
    customer = get_person(ref)
    kinds = timeline_kinds()
    form = TimelineFilterForm(request.GET, kinds=kinds)
    page = customer_timeline(
        *records_of(customer.pk),
        kind=form.values["kind"] or "",
        since=form.since,
        until=form.until,
        cursor=request.GET.get("cursor", ""),
        with_texts=reads_texts(request.user),
    )
    context = {
        "form": form,
        "entries": page.entries,
        "actors": _actors(page.entries),
        "earlier_url": cursor_url(request, page.next_cursor),
    }
    return show_tab(
        request,
        customer,
        "timeline",
        "crm/parts/timeline.html",
        context,
        is_continued=bool(request.GET.get("cursor")),
    )


@require_safe
@roles_required(read=READERS)
def customer_orders_tab(request: HttpRequest, ref: str) -> HttpResponse:
    """What a customer bought, newest first."""
    customer = get_person(ref)
    page = keyset_page(
        with_refunded(list_orders().filter(customer_id__in=records_of(customer.pk))),
        order=["-ordered_at", "-id"],
        cursor=request.GET.get("cursor", ""),
        size=25,
    )
    context = {"orders": page.rows, **page.urls(request)}
    return show_tab(request, customer, "orders", "crm/parts/customer_orders.html", context)


def _actors(entries: list[TimelineEntry]) -> dict[str, str]:
    """Return ``user:<id>`` → name for those who acted; one query."""
    ids = {
        int(entry.event.actor.removeprefix("user:"))
        for entry in entries
        if entry.event and entry.event.actor.startswith("user:")
    }
    users = User.objects.filter(pk__in=ids).only("email", "name") if ids else []
    return {f"user:{user.pk}": str(user) for user in users}
