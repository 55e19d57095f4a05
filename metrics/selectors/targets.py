"""What figures are to reach."""

from __future__ import annotations

from decimal import Decimal

from metrics.models import KpiTarget


def list_targets() -> dict[str, Decimal]:
    """Return a figure's key → what it is to reach, in its unit; one query."""
    return dict(KpiTarget.objects.values_list("key", "value"))
