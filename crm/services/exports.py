"""Giving out everything that is kept about a person; each time is recorded."""

from __future__ import annotations

from datetime import datetime
from typing import IO

from django.db import transaction

from common.services import record_event
from crm.models import Customer
from crm.privacy.export import Contents, write_export
from crm.selectors.identity import siblings_of


@transaction.atomic
def export_customer(
    *,
    customer_id: int,
    target: IO[bytes],
    happened_at: datetime,
    actor: str,
    how: str,
    is_own: bool = False,
) -> Contents:
    """Write a ZIP of all that is kept about the person whose record this is.

    target: a file open for writing bytes.  how: code; ``page``, ``portal`` or ``command``.
    is_own: for the customers themselves, without internal notes of the staff.
    """
    contents = write_export(siblings_of(customer_id), target, made_at=happened_at, is_own=is_own)
    customer = Customer.objects.get(pk=customer_id)
    record_event(
        kind="customer.exported",
        subject_kind="customer",
        subject_ref=customer.ref,
        customer_id=customer.pk,
        occurred_at=happened_at,
        actor=actor,
        codes={"how": how, "is_own": is_own, "files": contents.files},
    )
    return contents
