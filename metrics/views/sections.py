"""The pages of figures, side by side under one entry of the menu."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from metrics.kpis.base import GROUPS


def metrics_sections(current: str, query: str = "") -> list[dict[str, Any]]:
    """Return label, address and whether it is open, for ``crm/parts/sections.html``.

    current: name of the URL of the page that is open.  query: what it was asked for, taken along.
    """
    pages = {
        "overview": _("Overview"),
        **{name: str(label) for name, label in GROUPS.items()},
        "shops": _("Shops"),
        "cohorts": _("Cohorts"),
        "rfm": _("Frequency and value"),
    }
    order = [
        "overview", "retention", "revenue", "purchases", "value", "funnel", "voice", "complaints",
        "shops", "loyalty", "save", "standards", "cohorts", "rfm",
    ]  # fmt: skip
    found = []
    for name in order:
        url = reverse(f"metrics:{name}")
        takes_along = query and name not in ("cohorts", "rfm")
        found.append(
            {
                "label": pages[name],
                "url": f"{url}?{query}" if takes_along else url,
                "is_current": name == current,
            }
        )
    return found
