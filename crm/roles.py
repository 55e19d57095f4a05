"""Who reads and writes what crm owns; the matrix stands in docs/guide/roles.md."""

from __future__ import annotations

from typing import Any

from accounts.models import STAFF_ROLES, Role
from accounts.permissions import MANAGERS, WRITERS

READERS = STAFF_ROLES
CATALOGUE_WRITERS = WRITERS
LOCATION_WRITERS = MANAGERS
EVERYBODY = frozenset(Role)  # the portal shows each only what is their own


def sees_contacts(user: Any) -> bool:
    """Whether this user sees addresses and numbers in full; analysts see them masked."""
    return getattr(user, "role", None) in WRITERS
