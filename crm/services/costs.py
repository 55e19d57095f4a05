"""Recording what winning and serving customers cost; a correction is a new row."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import InvalidInput
from common.money import LARGEST
from common.services import record_event
from common.time import now
from common.validators import parse_currency
from crm.models import Cost


@transaction.atomic
def record_cost(
    *,
    month: date,
    category: str,
    amount: Decimal,
    happened_at: datetime,
    actor: str,
    location_id: int | None = None,
    currency: str | None = None,
    is_simulated: bool = False,
) -> Cost:
    """Return what a local month cost in one category, newly recorded.

    month: any day of it.  amount: 0 takes what was recorded back.
    location_id: None for what belongs to no single shop.
    currency: the organisation's unless given.
    The row recorded last for a month, category and shop is in force. The same again records
    nothing.

    :raises InvalidInput: an unknown category, a negative or too large amount; nothing is written.
    """
    if category not in Cost.Category.values:
        raise InvalidInput(fields={"category": [str(_("There is no such category."))]})
    if not 0 <= amount <= LARGEST:
        text = str(_("Enter an amount of 0 or more that can be added up."))
        raise InvalidInput(fields={"amount": [text]})
    currency = parse_currency(currency or settings.KEEPWELL_CURRENCY)
    month = month.replace(day=1)
    place: dict[str, Any] = {"month": month, "category": category, "location_id": location_id}
    known = Cost.objects.filter(**place).order_by("-id").first()
    if known is not None and (known.amount, known.currency) == (amount, currency):
        return known
    row = Cost.objects.create(
        **place,
        amount=amount,
        currency=currency,
        actor=actor,
        is_simulated=is_simulated,
        recorded_at=now(),
    )
    record_event(
        kind="cost.recorded" if known is None else "cost.corrected",
        subject_kind="cost",
        subject_ref=f"{month:%Y-%m}:{category}",
        occurred_at=happened_at,
        actor=actor,
        codes={"amount": str(amount), "currency": currency, "location": location_id},
    )
    return row
