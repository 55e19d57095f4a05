"""Becoming a member by wish: at the till, in a form or through the API."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from common.errors import NotFound
from common.time import now
from crm.models import Customer
from loyalty.models import PointsAccount
from loyalty.selectors.journal import find_account
from loyalty.selectors.programme import get_programme
from loyalty.services.members import enrol_customers


@transaction.atomic
def enrol_customer(*, customer_id: int, happened_at: datetime) -> tuple[PointsAccount, bool]:
    """Make a customer a member; return the account and whether it is new.

    A person is a member by any of their records; again: writes nothing.

    :raises NotFound: no such customer, or there is no programme.
    """
    programme = get_programme()
    if not Customer.objects.filter(pk=customer_id, erased_at__isnull=True).exists():
        raise NotFound
    known = find_account(customer_id)
    if known is not None:
        return known, False
    enrol_customers(programme=programme, joined={customer_id: happened_at}, recorded_at=now())
    account = find_account(customer_id)
    if account is None:  # another member drew the same card number this instant: drawn again
        raise NotFound
    return account, True
