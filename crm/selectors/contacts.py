"""How customers are reached, and what of it a role may see."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from crm.models import ContactPoint

HIDDEN = "•••"


@dataclass(frozen=True, slots=True)
class Contact:
    """A customer's primary address and number; empty where there is none."""

    email: str = ""
    phone: str = ""

    def masked(self) -> Contact:
        """Return what analysts see: enough to tell two apart, too little to reach anybody."""
        return Contact(email=mask_email(self.email), phone=mask_phone(self.phone))


def mask_email(email: str) -> str:
    """Return the first character and the last label: ``k•••@•••.com``."""
    if not email:
        return ""
    name, _at, domain = email.partition("@")
    return f"{name[:1]}{HIDDEN}@{HIDDEN}.{domain.rpartition('.')[2]}"


def mask_phone(phone: str) -> str:
    """Return the last two digits: ``•••67``."""
    return f"{HIDDEN}{phone[-2:]}" if phone else ""


def contacts_of(customer_ids: Collection[int]) -> dict[int, Contact]:
    """Return customer id → contact, an empty one for who has none; one query."""
    found: dict[int, dict[str, str]] = {customer_id: {} for customer_id in customer_ids}
    points = ContactPoint.objects.filter(customer_id__in=customer_ids, is_primary=True).values_list(
        "customer_id", "kind", "normalized"
    )
    for customer_id, kind, value in points:
        found[customer_id][kind] = value
    return {customer_id: Contact(**contact) for customer_id, contact in found.items()}
