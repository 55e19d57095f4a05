"""Who may open which page and call which endpoint; the matrix stands in docs/guide/roles.md."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from accounts.models import STAFF_ROLES, Role
from common.errors import NotAllowed, NotFound

View = Callable[..., HttpResponseBase]
WRITERS = frozenset({Role.ADMIN, Role.MANAGER, Role.STAFF})
MANAGERS = frozenset({Role.ADMIN, Role.MANAGER})
ADMINS = frozenset({Role.ADMIN})
PORTAL = frozenset({Role.CUSTOMER})


def roles_required(
    *, read: frozenset[Any], write: frozenset[Any] | None = None
) -> Callable[[View], View]:
    """Decorator for a page: who may GET it, and who may POST to it (default: the same).

    Nobody signed in goes to sign-in; a customer at a staff page gets 404, a colleague without
    the role 403. The sets stay readable as ``view.roles_read`` and ``view.roles_write``.
    """
    writers = read if write is None else write

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            user = request.user
            if not user.is_authenticated:
                return _to_sign_in(request)
            allowed = read if request.method in SAFE_METHODS else writers
            if user.role not in allowed:
                raise NotAllowed if user.role in STAFF_ROLES else NotFound
            return view(request, *args, **kwargs)

        guarded.roles_read = read  # type: ignore[attr-defined]
        guarded.roles_write = writers  # type: ignore[attr-defined]
        return guarded

    return decorate


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    """Lead to signing in, and from there back; a fragment takes its whole page there."""
    return lead_whole_page(
        request, redirect_to_login(page_of_fragment(request) or request.get_full_path())
    )


def page_of_fragment(request: HttpRequest) -> str:
    """The path of the page that asks for a fragment of itself; empty for a whole page."""
    try:
        return urlsplit(request.headers.get("HX-Current-URL", "")).path
    except ValueError:  # a header that no browser sends
        return ""


def lead_whole_page(request: HttpRequest, answer: HttpResponseRedirect) -> HttpResponse:
    """The redirect itself, or for a fragment: its whole page goes there, not only its place."""
    if request.headers.get("HX-Request") != "true":
        return answer
    return HttpResponse(status=204, headers={"HX-Redirect": answer.url})


class RolePermission(BasePermission):
    """API views state ``roles_read`` and ``roles_write``; without them nobody gets in."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Whether the caller's role is in the set for this method."""
        user = request.user
        if not user or not user.is_authenticated:
            return False
        name = "roles_read" if request.method in SAFE_METHODS else "roles_write"
        return getattr(user, "role", None) in getattr(view, name, frozenset())
