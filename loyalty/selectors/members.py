"""Members as managers look for them, and what one member's points consist of."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from crm.models import Customer
from crm.selectors.identity import every_record_of
from crm.selectors.search import search_customers
from loyalty.models import PointsAccount, PointsLot, PointsTransaction
from loyalty.selectors.journal import list_accounts, list_transactions


def list_members(
    *, text: str = "", status: str = "", tier_id: int | None = None, may_see_contacts: bool = True
) -> QuerySet[PointsAccount]:
    """Return accounts with member and customer: of those a text finds, with this status and tier.

    text: name, number, card, phone or email, as in the search for customers; at most 50 people.
    may_see_contacts: False leaves phone and email out of the search.
    """
    accounts = list_accounts()
    if text:
        people = search_customers(text, may_see_contacts=may_see_contacts)
        found = [customer.pk for customer in people]
        whose = Q(membership__customer_id__in=found) | Q(membership__customer__person_id__in=found)
        accounts = accounts.filter(whose)
    if status:
        accounts = accounts.filter(membership__status=status)
    if tier_id is not None:
        accounts = accounts.filter(tiers__tier=tier_id, tiers__until__isnull=True)
    return accounts


def lots_of(account: PointsAccount) -> QuerySet[PointsLot]:
    """Return what is left of a member's points, as they came, what lapses first before."""
    lots = PointsLot.objects.filter(account=account, remaining__gt=0)
    return lots.select_related("transaction__order").order_by("expires_at", "available_from", "pk")


def journal_of(customer: Customer) -> QuerySet[PointsTransaction]:
    """Return every change of a person's points, those that earned nothing as well."""
    records = every_record_of(customer.pk)
    return list_transactions().filter(account__membership__customer_id__in=records)
