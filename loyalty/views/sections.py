"""The pages of the programme, side by side under one entry of the menu."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from crm.exports.roles import LISTS
from crm.roles import may_write


def loyalty_sections(request: HttpRequest, current: str) -> list[dict[str, Any]]:
    """Return label, address and whether it is open, for ``crm/parts/sections.html``.

    current: name of the URL of the section that is open.
    """
    pages = [
        ("programme", _("Overview")),
        ("rules", _("Rules")),
        ("rewards", _("Rewards")),
        ("tiers", _("Tiers")),
        ("members", _("Members")),
        ("adjustments", _("Adjustments")),
        ("conditions", _("Terms")),
    ]
    if may_write(request.user, LISTS):  # who serves customers sees no figures
        pages.append(("reports", _("Reports")))
    found = []
    for name, label in pages:
        try:
            url = reverse(f"loyalty:{name}")
        except NoReverseMatch:
            continue
        found.append({"label": label, "url": url, "is_current": name == current})
    return found
