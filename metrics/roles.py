"""Who reads figures, and who may ask for a recompute."""

from __future__ import annotations

from accounts.models import Role
from accounts.permissions import MANAGERS

READERS = frozenset({Role.ADMIN, Role.MANAGER, Role.ANALYST})
REQUESTERS = MANAGERS
