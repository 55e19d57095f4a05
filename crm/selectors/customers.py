"""Finding customers and how to reach them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Coalesce

from common.errors import NotFound
from crm.models import ContactPoint, Customer
from crm.selectors.identity import groups_of


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


def get_person(ref: str) -> Customer:
    """Return the person whose record has this ref or external id: often the record itself.

    :raises NotFound: nobody has either, or the customer was erased.
    """
    customer = get_customer(ref)
    if customer.person_id is None:
        return customer
    return Customer.objects.select_related("location").get(pk=customer.person_id)


def find_customer_of_user(user: Any) -> Customer | None:
    """Return the customer whom this signed-in user is, if any: the person, if merged."""
    customer = Customer.objects.filter(user_id=user.pk, erased_at__isnull=True).first()
    return customer.person or customer if customer else None


def find_customer_by_email(email: str) -> Customer | None:
    """Return the one person whose primary address this is; None if nobody or several."""
    holders = ContactPoint.objects.filter(
        kind=ContactPoint.Kind.EMAIL, normalized=email.strip().casefold(), is_primary=True
    ).values(person=Coalesce("customer__person_id", "customer_id"))
    customers = Customer.objects.filter(pk__in=holders, erased_at__isnull=True)[:2]
    return customers[0] if len(customers) == 1 else None


def primary_emails(customer_ids: Collection[int]) -> dict[int, str]:
    """Return customer id → primary address, for those who have one; two queries.

    The address of the person: their own record's, else the first other record's.
    """
    groups = groups_of(customer_ids)
    records = {record_id for group in groups.values() for record_id in group}
    emails = dict(
        ContactPoint.objects.filter(
            customer_id__in=records, kind=ContactPoint.Kind.EMAIL, is_primary=True
        ).values_list("customer_id", "normalized")
    )
    found = {}
    for customer_id, group in groups.items():
        if known := [emails[record_id] for record_id in group if record_id in emails]:
            found[customer_id] = known[0]
    return found


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
