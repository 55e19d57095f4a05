"""What the base layout needs on every page."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from accounts.middleware import owes_second_factor
from common.registry import menu_entries, page_keys, quick_actions


def layout(request: HttpRequest) -> dict[str, Any]:
    """Which layout the visitor gets (staff, portal or public), menu and actions of their role.

    Works on error pages too, where nobody may have been looked up yet.
    """
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"layout": "public", "menu": [], "is_demo": settings.IS_DEMO}
    # A menu would lead nowhere before the second factor, and the bell would ask in vain.
    is_staff = user.works_here and not owes_second_factor(request)
    return {
        "layout": "staff" if is_staff else "portal",
        "menu": _menu(user.role, request.path) if is_staff else [],
        "quick_actions": _actions(user.role) if is_staff else [],
        "is_demo": settings.IS_DEMO,
    }


def _actions(role: str) -> list[dict[str, Any]]:
    """What a role can do from anywhere, in its order."""
    found = []
    for action in sorted(quick_actions, key=lambda one: one.order):
        if role in action.roles:
            try:
                url = reverse(action.url_name)
            except NoReverseMatch:
                continue
            found.append(
                {"label": action.label, "url": url, "icon": action.icon, "key": action.key}
            )
    return found


def _menu(role: str, path: str) -> list[dict[str, Any]]:
    """Entries of a role in their order; the one whose address fits the path best is current."""
    entries: list[dict[str, Any]] = []
    for entry in sorted(menu_entries, key=lambda one: one.order):
        if role not in entry.roles:
            continue
        try:
            url = reverse(entry.url_name)
        except NoReverseMatch:
            continue
        entries.append(
            {
                "label": entry.label,
                "url": url,
                "icon": entry.icon,
                "key": page_keys.get(entry.url_name, ""),
                "beside": [reverse(name) for name in entry.beside],
                "is_current": False,
            }
        )
    fitting = [
        (len(url), entry)
        for entry in entries
        for url in (entry["url"], *entry["beside"])
        if path == url or (url != "/" and path.startswith(url))
    ]
    if fitting:
        max(fitting, key=lambda pair: pair[0])[1]["is_current"] = True
    return entries
