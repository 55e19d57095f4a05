"""Saved views of a list."""

from __future__ import annotations

from django.db.models import Q

from crm.models import SavedView

SHOWN = 60


def list_views(*, user_id: int, page: str) -> list[SavedView]:
    """Return one's own views and those colleagues share, by name; one query."""
    mine_or_shared = Q(owner_id=user_id) | Q(is_shared=True)
    views = SavedView.objects.filter(mine_or_shared, page=page).order_by("name", "pk")
    return list(views[:SHOWN])
