"""Who takes which lists out: managers all, analysts what figures are made of, staff their work."""

from __future__ import annotations

from typing import Any

from accounts.models import STAFF_ROLES, Role
from accounts.permissions import MANAGERS

LISTS = MANAGERS | {Role.ANALYST}  # who serves customers takes no lists home
OWN_WORK = STAFF_ROLES  # staff get of these what is their own


def takes_only_own(user: Any) -> bool:
    """Whether this user takes out nothing but their own work."""
    return getattr(user, "role", None) not in LISTS
