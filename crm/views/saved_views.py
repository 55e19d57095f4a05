"""Saved views of lists: keeping, changing and deleting one's own."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.permissions import roles_required
from common.errors import DomainError
from common.requests import actor_of
from common.time import now
from common.undo import offer_undo
from crm.models import SavedView
from crm.roles import READERS
from crm.services.views import change_view, delete_view, save_view

PAGES = {"customers": "crm:customer_list"}  # page of a view → its URL


@require_POST
@roles_required(read=READERS)
def view_save(request: HttpRequest) -> HttpResponse:
    """Keep a list's filters, columns and order under a name."""
    page = request.POST.get("page", "")
    if page not in PAGES:
        page = "customers"
    query = _kept(request.POST.get("query", ""))
    try:
        view = save_view(
            owner_id=int(request.user.pk or 0),
            page=page,
            name=request.POST.get("name", ""),
            query=query,
            is_shared=bool(request.POST.get("is_shared")),
            happened_at=now(),
            actor=actor_of(request),
        )
    except DomainError as error:
        messages.error(request, str(error.message))
        return redirect(f"{reverse(PAGES[page])}?{query}")
    messages.success(request, _("The view “%(name)s” is saved.") % {"name": view})
    return _opened(view)


@require_POST
@roles_required(read=READERS)
def view_change(request: HttpRequest, ref: str) -> HttpResponse:
    """Rename one's view, share it, let the page open with it, or give it the present filters."""
    changes: dict[str, object] = {
        "name": request.POST.get("name", ""),
        "is_shared": bool(request.POST.get("is_shared")),
        "is_default": bool(request.POST.get("is_default")),
    }
    if request.POST.get("with_query"):
        changes["query"] = _kept(request.POST.get("query", ""))
    try:
        view = change_view(
            ref=ref,
            owner_id=int(request.user.pk or 0),
            happened_at=now(),
            actor=actor_of(request),
            **changes,
        )
    except DomainError as error:
        if error.status == 404:
            raise
        messages.error(request, str(error.message))
        return redirect(reverse("crm:customer_list"))
    messages.success(request, _("Saved."))
    return _opened(view)


@require_POST
@roles_required(read=READERS)
def view_delete(request: HttpRequest, ref: str) -> HttpResponse:
    """Delete one's view; it can be brought back for a moment."""
    kept = delete_view(
        ref=ref, owner_id=int(request.user.pk or 0), happened_at=now(), actor=actor_of(request)
    )
    said = _("The view “%(name)s” is deleted.") % {"name": kept["name"]}
    offer_undo(request, said, "view.deleted", kept=kept)
    return redirect(f"{reverse(PAGES[kept['page']])}?sort=newest")


def _opened(view: SavedView) -> HttpResponse:
    return redirect(f"{reverse(PAGES[view.page])}?{view.query}&view={view.ref}")


def _kept(text: str) -> str:
    """The query without what is of the moment: words that were searched, and the place."""
    query = QueryDict(text, mutable=True)
    for name in ("q", "cursor", "view"):
        query.pop(name, None)
    return query.urlencode()
