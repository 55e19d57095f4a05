"""Files beside customers."""

from __future__ import annotations

from collections.abc import Collection

from common.errors import NotFound
from crm.models import Attachment

SHOWN = 50


def files_of(customer_ids: Collection[int]) -> list[Attachment]:
    """Return the latest fifty files beside these records, newest first; one query.

    Files of a contact stand with the contact.
    """
    files = Attachment.objects.filter(customer_id__in=customer_ids, interaction_id__isnull=True)
    return list(files.order_by("-recorded_at", "-id")[:SHOWN])


def get_customer_file(ref: str) -> Attachment:
    """Return a file beside a customer, with the customer.

    :raises NotFound: there is none, or the customer was erased.
    """
    found = (
        Attachment.objects.select_related("customer")
        .filter(ref=ref, interaction_id__isnull=True, customer__erased_at__isnull=True)
        .filter(customer_id__isnull=False)
        .first()
    )
    if found is None:
        raise NotFound
    return found
