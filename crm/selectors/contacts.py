"""How customers are reached, and what of it a role may see."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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


@dataclass(frozen=True, slots=True)
class ContactRow:
    """One address or number as it is shown. record: ref of the customer record that has it."""

    kind: str
    label: str
    value: str
    is_primary: bool
    record: str


def contact_rows(records: Sequence[int], *, is_masked: bool) -> list[ContactRow]:
    """Return what :func:`contact_points_of` does, ready to be shown; one primary of each kind."""
    masks = {ContactPoint.Kind.EMAIL.value: mask_email, ContactPoint.Kind.PHONE.value: mask_phone}
    with_primary: set[str] = set()
    rows = []
    for point in contact_points_of(records):
        is_primary = point.is_primary and point.kind not in with_primary
        if is_primary:
            with_primary.add(point.kind)
        rows.append(
            ContactRow(
                kind=point.kind,
                label=point.get_kind_display(),
                value=masks[point.kind](point.normalized) if is_masked else point.normalized,
                is_primary=is_primary,
                record=point.customer.ref,
            )
        )
    return rows


def contact_points_of(records: Sequence[int]) -> list[ContactPoint]:
    """Return all addresses and numbers of a person, phones first, primary ones first; one query.

    records: ids, the person's own first. What several records have is returned once.
    """
    points = ContactPoint.objects.filter(customer_id__in=records).select_related("customer")
    place = {record_id: number for number, record_id in enumerate(records)}
    found: dict[tuple[str, str], ContactPoint] = {}
    for point in sorted(
        points,
        key=lambda one: (
            one.kind != ContactPoint.Kind.PHONE,
            place[one.customer_id],
            not one.is_primary,
            one.pk,
        ),
    ):
        found.setdefault((point.kind, point.normalized), point)
    return list(found.values())


def contacts_of(customer_ids: Collection[int]) -> dict[int, Contact]:
    """Return customer id → contact, an empty one for who has none; one query."""
    found: dict[int, dict[str, str]] = {customer_id: {} for customer_id in customer_ids}
    points = ContactPoint.objects.filter(customer_id__in=customer_ids, is_primary=True).values_list(
        "customer_id", "kind", "normalized"
    )
    for customer_id, kind, value in points:
        found[customer_id][kind] = value
    return {customer_id: Contact(**contact) for customer_id, contact in found.items()}
