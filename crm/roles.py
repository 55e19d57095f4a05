"""Who reads and writes what crm owns; the matrix stands in docs/guide/roles.md."""

from __future__ import annotations

from typing import Any

from accounts.models import STAFF_ROLES, Role
from accounts.permissions import MANAGERS, WRITERS

__all__ = [
    "CATALOGUE_WRITERS",
    "COST_READERS",
    "EVERYBODY",
    "LOCATION_WRITERS",
    "MONEY_WRITERS",
    "READERS",
    "REASON_WRITERS",
    "WRITERS",
    "may_write",
    "reads_texts",
    "sees_contacts",
]

READERS = STAFF_ROLES
CATALOGUE_WRITERS = WRITERS
LOCATION_WRITERS = MANAGERS
MONEY_WRITERS = MANAGERS  # rates and costs
COST_READERS = MANAGERS | {Role.ANALYST}
REASON_WRITERS = MANAGERS  # the list of reasons for leaving
EVERYBODY = frozenset(Role)  # the portal shows each only what is their own


def may_write(user: Any, writers: frozenset[Role] = WRITERS) -> bool:
    """Whether this user's role is among the writers: what the page offers, not what guards it."""
    return getattr(user, "role", None) in writers


def sees_contacts(user: Any) -> bool:
    """Whether this user sees addresses and numbers in full; analysts see them masked."""
    return getattr(user, "role", None) in WRITERS


def reads_texts(user: Any) -> bool:
    """Whether this user reads what was written about customers; analysts don't."""
    return getattr(user, "role", None) in WRITERS
