"""Offers: one, and the list."""

from __future__ import annotations

from django.db.models import QuerySet

from common.errors import NotFound
from crm.models import Offer
from crm.selectors.identity import every_record_of


def list_offers(*, customer_id: int | None = None, state: str = "") -> QuerySet[Offer]:
    """Return offers with customer, product and the cancel request they were made for.

    customer_id: those of the person whose record it is, whichever of their records they name.
    """
    offers = Offer.objects.select_related("customer", "product", "cancel_request")
    if customer_id is not None:
        offers = offers.filter(customer_id__in=every_record_of(customer_id))
    if state:
        offers = offers.filter(state=state)
    return offers


def get_offer(ref: str) -> Offer:
    """Return the offer with this ref.

    :raises NotFound: none has it.
    """
    offer = list_offers().filter(ref=ref).first()
    if offer is None:
        raise NotFound
    return offer
