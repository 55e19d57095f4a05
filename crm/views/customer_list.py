"""The list of customers: filters, saved views, doing something for many, taking it out."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.permissions import roles_required
from common.keyset import keyset_page
from common.requests import LONGEST_ADDRESS
from common.time import now
from crm.exports.roles import LISTS
from crm.forms import BulkForm, CustomerFilterForm
from crm.forms.tasks import in_days, widget_time
from crm.models import SavedView
from crm.roles import READERS, WRITERS, may_write, sees_contacts
from crm.selectors.custom_fields import list_custom_fields
from crm.selectors.customer_filters import (
    COUNTED,
    count_customers,
    filter_customers,
    ids_of_refs,
    matching_ids,
    order_of,
    quick_to_sort,
)
from crm.selectors.lists import list_locations
from crm.selectors.search import search_customers
from crm.selectors.tags import tags_to_choose
from crm.selectors.views import list_views
from crm.services import bulk_actions
from crm.tables import Column, chosen_columns, customer_columns, customer_rows
from crm.views.bulk import act_on_many
from crm.views.exports import answer_export

PAGE = "customers"  # of saved views
REMEMBERED = "customer_columns"  # in the session
PLAIN_FILTERS = (
    "seen_from",
    "seen_until",
    "value_from",
    "value_to",
    "country",
    "source",
    "industry",
)
Chosen = tuple[CustomerFilterForm, list[Column], list[Column]]


@require_safe
@roles_required(read=READERS)
def customer_list(request: HttpRequest) -> HttpResponse:
    """Everybody, newest first, or those who fit; a saved view opens first if one was chosen."""
    views = [] if request.GET.get("q") else list_views(user_id=int(request.user.pk or 0), page=PAGE)
    if not request.GET and (first := _first_view(views, request)):
        return redirect(f"{request.path}?{first.query}&view={first.ref}")
    form, columns, shown = asked_list(request, request.GET)
    context: dict[str, Any] = {
        "form": form,
        "columns": columns,
        "shown": shown,
        "heads": _heads(request, form, shown),
        "views": views,
        "view": next((one for one in views if one.ref == request.GET.get("view")), None),
        "query": form.query(),
        "plain_filters": [form[name] for name in PLAIN_FILTERS],
        "may_write": may_write(request.user),
        "may_export": may_write(request.user, LISTS),
    }
    if form.values["q"] or "q" in form.errors:
        found = _searched(form, request)
    else:
        asked = form.filters(now())
        page = keyset_page(
            quick_to_sort(asked),
            order=order_of(asked, form.sorted_by),
            cursor=request.GET.get("cursor", ""),
        )
        found = page.rows
        context |= page.urls(request)
    context["rows"] = customer_rows(found, shown, request.user)
    if context["may_write"]:
        context["bulk"] = BulkForm(shops=form.fields["shop"].choices)  # type: ignore[attr-defined]
    return render(request, "crm/customer_list.html", context)


@require_safe
@roles_required(read=READERS)
def customer_count(request: HttpRequest) -> HttpResponse:
    """How many fit; a fragment."""
    form, _columns, _shown = asked_list(request, request.GET)
    count = count_customers(form.filters(now()))
    context = {"count": min(count, COUNTED), "is_more": count > COUNTED}
    return render(request, "crm/parts/customer_count.html", context)


@require_safe
@roles_required(read=WRITERS)
def customer_bulk_task(request: HttpRequest) -> HttpResponse:
    """The inputs of a task for each of the chosen; a fragment."""
    form = BulkForm(initial={"due_at": widget_time(in_days(1))})
    return render(request, "crm/parts/bulk_task.html", {"bulk": form})


@require_POST
@roles_required(read=WRITERS)
def customer_bulk(request: HttpRequest) -> HttpResponse:
    """Label, move, or open a task for, the chosen customers or everybody who fits."""
    return act_on_many(request, find_ids=lambda: _chosen_ids(request), back=_back(request))


@require_POST
@roles_required(read=LISTS)
def customer_export(request: HttpRequest) -> HttpResponseBase:
    """The list as a file, with the chosen columns; analysts get contacts masked."""
    return answer_export(request, "customers", back=_back(request))


def asked_list(request: HttpRequest, query: QueryDict) -> Chosen:
    """Return the filters, all the columns, and those to show: as asked, or as last time."""
    own_fields = list(list_custom_fields())
    columns = customer_columns(own_fields, request.user)
    form = CustomerFilterForm(
        query,
        shops=list(list_locations()),
        tags=tags_to_choose(),
        own_fields=own_fields,
        columns=[(column.key, column.label) for column in columns],
    )
    keys = form.values["columns"]
    if keys and keys != request.session.get(REMEMBERED):
        request.session[REMEMBERED] = keys
    return form, columns, chosen_columns(columns, keys or request.session.get(REMEMBERED, ()))


def _searched(form: CustomerFilterForm, request: HttpRequest) -> list[Any]:
    """Whom the words find, best first, of those who fit the filters."""
    asked = form.filters(now())
    within: dict[str, Any] = {"location_id": asked.location_id} if asked.location_id else {}
    if asked.stages:
        within["stage__in"] = asked.stages
    return search_customers(
        form.values["q"] or "",
        within=within,
        people=filter_customers(asked),
        may_see_contacts=sees_contacts(request.user),
    )


def _heads(
    request: HttpRequest, form: CustomerFilterForm, shown: list[Column]
) -> list[dict[str, Any]]:
    """The heads of the columns, with what a click on them would sort by."""
    present = form.sorted_by

    def head(column: Column) -> dict[str, Any]:
        if not column.sort or form.values["q"]:
            return {"column": column}
        is_current = present.lstrip("-") == column.sort
        query = request.GET.copy()
        query.pop("cursor", None)
        query["sort"] = f"-{column.sort}" if present == column.sort else column.sort
        is_rising = present.startswith("-") != (column.sort == "name")  # names rise from A
        order = ("ascending" if is_rising else "descending") if is_current else ""
        return {"column": column, "url": f"?{query.urlencode()}", "order": order}

    return [head(column) for column in (Column("name", _("Name"), sort="name"), *shown)]


def _first_view(views: list[SavedView], request: HttpRequest) -> SavedView | None:
    return next((one for one in views if one.is_default and one.owner_id == request.user.pk), None)


def _chosen_ids(request: HttpRequest) -> list[int]:
    if not request.POST.get("everybody"):
        return ids_of_refs(request.POST.getlist("customers"))
    form, _columns, _shown = asked_list(request, QueryDict(request.POST.get("query", "")))
    ids = matching_ids(form.filters(now()), most=COUNTED + 1)
    if len(ids) > COUNTED:
        raise bulk_actions.TooManyCustomers
    return ids


def _back(request: HttpRequest) -> str:
    """The list as it was, its filters and place included."""
    here = request.POST.get("here", "")
    query = QueryDict(here if len(here) <= LONGEST_ADDRESS else "")
    return f"{reverse('crm:customer_list')}?{query.urlencode()}"
