"""Customers who sign in."""

from __future__ import annotations

from django.db import transaction

from common.services import record_event
from common.time import now
from crm.models import Customer


@transaction.atomic
def link_login(*, customer_id: int, user_id: int) -> Customer:
    """Make a user the one who signs in as this customer, and return the customer.

    user_id: a user with the role customer, whom no other customer has.
    """
    customer = Customer.objects.select_for_update().get(pk=customer_id)
    customer.user_id = user_id
    customer.save(update_fields=["user"])
    record_event(
        kind="customer.login_opened",
        subject_kind="customer",
        subject_ref=customer.ref,
        customer_id=customer.pk,
        occurred_at=now(),
    )
    return customer
