"""Finding customers and how to reach them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.db.models import Q

from common.errors import NotFound
from crm.models import ContactPoint, Customer


def get_customer(ref: str) -> Customer:
    """Return the customer with this ref or, failing that, this external id.

    :raises NotFound: nobody has either, or the customer was erased.
    """
    found = {
        customer.ref == ref: customer
        for customer in Customer.objects.select_related("location").filter(
            Q(ref=ref) | Q(external_id=ref), erased_at__isnull=True
        )
    }
    if not found:
        raise NotFound
    return found.get(True) or found[False]


def find_customer_of_user(user: Any) -> Customer | None:
    """Return the customer whom this signed-in user is, if any."""
    return Customer.objects.filter(user_id=user.pk, erased_at__isnull=True).first()


def find_customer_by_email(email: str) -> Customer | None:
    """Return the one customer whose primary address this is; None if nobody or several."""
    customers = Customer.objects.filter(
        contact_points__kind=ContactPoint.Kind.EMAIL,
        contact_points__normalized=email.strip().casefold(),
        contact_points__is_primary=True,
        erased_at__isnull=True,
    )[:2]
    return customers[0] if len(customers) == 1 else None


def primary_emails(customer_ids: Collection[int]) -> dict[int, str]:
    """Return customer id → primary address, for those who have one; one query."""
    return dict(
        ContactPoint.objects.filter(
            customer_id__in=customer_ids, kind=ContactPoint.Kind.EMAIL, is_primary=True
        ).values_list("customer_id", "normalized")
    )


def primary_email(customer_id: int) -> str:
    """Return the customer's primary address, or an empty string."""
    return primary_emails([customer_id]).get(customer_id, "")


def language_of(customer: Customer) -> str:
    """Return the supported language code to write to this customer in."""
    wanted = customer.language.strip().casefold().replace("_", "-")
    supported = [code for code, _name in settings.LANGUAGES]
    if wanted in supported:
        return wanted
    by_base = {code.split("-")[0]: code for code in supported}
    return by_base.get(wanted.split("-")[0], settings.LANGUAGE_CODE)
