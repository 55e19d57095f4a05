"""Offers to customers, and what they said. Every answer is kept; the last one is in force."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import InvalidInput
from common.services import record_event
from common.time import now
from common.validators import clean_line, parse_currency
from crm.models import Offer, OfferAnswer


class AnswerBeforeOffer(InvalidInput):
    """Nobody answers before they were asked."""

    code = "answer_before_offer"
    message = _("The answer can't be before the offer.")


@transaction.atomic
def record_offer(
    *,
    customer_id: int,
    made_at: datetime,
    happened_at: datetime,
    actor: str,
    text: str = "",
    product_id: int | None = None,
    amount: Decimal | None = None,
    currency: str = "",
    state: str = Offer.State.MADE,
    answered_at: datetime | None = None,
    is_simulated: bool = False,
) -> Offer:
    """Return a new offer to a customer.

    text: what was offered, in words (erasable); needed unless a product is offered.
    amount: what it is worth to the customer, in ``currency`` (the organisation's unless given).
    state: ``made``, or the answer if there is one already, given at ``answered_at`` (made_at
        unless given).

    :raises InvalidInput: neither words nor a product, a negative worth; nothing is written.
    :raises AnswerBeforeOffer: answered before it was made; nothing is written.
    """
    text = clean_line(text, max_length=255)
    if not text and product_id is None:
        raise InvalidInput(fields={"text": [str(_("Say what was offered, or name a product."))]})
    if amount is not None and amount < 0:
        raise InvalidInput(fields={"amount": [str(_("An amount can't be negative."))]})
    money = parse_currency(currency or settings.KEEPWELL_CURRENCY) if amount is not None else ""
    offer = Offer.objects.create(
        customer_id=customer_id,
        product_id=product_id,
        text=text,
        amount=amount,
        currency=money,
        actor=actor,
        is_simulated=is_simulated,
        made_at=made_at,
        recorded_at=now(),
    )
    _tell("offer.made", offer, happened_at, actor)
    if state != Offer.State.MADE:
        offer = answer_offer(
            offer_id=offer.pk,
            state=state,
            answered_at=answered_at or made_at,
            happened_at=happened_at,
            actor=actor,
        )
    return offer


@transaction.atomic
def answer_offer(
    *, offer_id: int, state: str, answered_at: datetime, happened_at: datetime, actor: str
) -> Offer:
    """Record what the customer said (``accepted`` or ``declined``) and return the offer.

    ``made`` takes an answer back. The same answer again records nothing.

    :raises InvalidInput: no such answer; nothing is written.
    :raises AnswerBeforeOffer: answered before it was made; nothing is written.
    """
    if state not in Offer.State.values:
        raise InvalidInput(fields={"state": [str(_("There is no such answer."))]})
    offer = Offer.objects.select_for_update().get(pk=offer_id)
    if offer.state == state:
        return offer
    if answered_at < offer.made_at:
        raise AnswerBeforeOffer(fields={"answered_at": [str(AnswerBeforeOffer.message)]})
    offer.state = state
    offer.answered_at = None if state == Offer.State.MADE else answered_at
    offer.save(update_fields=["state", "answered_at"])
    OfferAnswer.objects.create(
        offer=offer, state=state, actor=actor, answered_at=answered_at, recorded_at=now()
    )
    kinds = {Offer.State.ACCEPTED: "offer.accepted", Offer.State.DECLINED: "offer.declined"}
    _tell(kinds.get(Offer.State(state), "offer.reopened"), offer, happened_at, actor)
    return offer


def undo_answer(*, offer_id: int, happened_at: datetime, actor: str) -> Offer:
    """Take an answer back; see :func:`answer_offer`."""
    return answer_offer(
        offer_id=offer_id,
        state=Offer.State.MADE,
        answered_at=happened_at,
        happened_at=happened_at,
        actor=actor,
    )


def _tell(kind: str, offer: Offer, happened_at: datetime, actor: str) -> None:
    record_event(
        kind=kind,
        subject_kind="offer",
        subject_ref=offer.ref,
        customer_id=offer.customer_id,
        occurred_at=happened_at,
        actor=actor,
        codes={"amount": str(offer.amount), "currency": offer.currency}
        if offer.amount is not None
        else {},
    )
