"""Pages that stand side by side under one entry of the menu."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from crm.roles import COST_READERS, REASON_WRITERS, may_write


def purchase_sections(request: HttpRequest, current: str) -> list[dict[str, Any]]:
    """Return label, address and whether it is open, of the pages about money of purchases."""
    pages = [("order_list", _("Purchases")), ("refund_list", _("Refunds"))]
    if may_write(request.user, COST_READERS):
        pages.append(("cost_list", _("Costs")))
    pages.append(("rate_list", _("Exchange rates")))
    return _sections(pages, current)


def leaving_sections(request: HttpRequest, current: str) -> list[dict[str, Any]]:
    """Return the same of the pages about customers who want to leave."""
    pages = [("cancel_request_list", _("Cancel requests")), ("offer_list", _("Offers"))]
    if may_write(request.user, REASON_WRITERS):
        pages.append(("cancel_reason_list", _("Reasons")))
    return _sections(pages, current)


def _sections(pages: list[tuple[str, str]], current: str) -> list[dict[str, Any]]:
    return [
        {"label": label, "url": reverse(f"crm:{name}"), "is_current": name == current}
        for name, label in pages
    ]
