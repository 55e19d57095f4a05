"""Recording what foreign money is worth; a correction is a new row."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import InvalidInput
from common.services import record_event
from common.time import now
from common.validators import parse_currency
from crm.models import ExchangeRate
from crm.selectors.rates import SCALE

LARGEST_RATE = Decimal(10**9)


class OwnCurrency(InvalidInput):
    """The organisation's own currency is worth 1 always."""

    code = "own_currency"
    message = _("This is your own currency; it needs no rate.")


@transaction.atomic
def record_rate(
    *, currency: str, date: date, rate: Decimal, happened_at: datetime, actor: str
) -> ExchangeRate:
    """Return what one unit of a currency was worth on a local day, newly recorded.

    rate: in the organisation's currency, > 0, at most eight decimals. The row recorded last for a
        day is in force. The same rate again records nothing.

    :raises OwnCurrency: it is the organisation's currency; nothing is written.
    :raises InvalidInput: not above 0, too large or too exact; nothing is written.
    """
    currency = parse_currency(currency)
    if currency == settings.KEEPWELL_CURRENCY:
        raise OwnCurrency(fields={"currency": [str(OwnCurrency.message)]})
    units = rate.scaleb(SCALE)
    if not 0 < rate <= LARGEST_RATE or units != int(units):
        text = str(_("Enter a rate above 0 with at most eight decimals."))
        raise InvalidInput(fields={"rate": [text]})
    known = ExchangeRate.objects.filter(currency=currency, date=date).order_by("-id").first()
    if known is not None and known.rate == int(units):
        return known
    row = ExchangeRate.objects.create(
        currency=currency, date=date, rate=int(units), actor=actor, recorded_at=now()
    )
    record_event(
        kind="rate.recorded" if known is None else "rate.corrected",
        subject_kind="rate",
        subject_ref=f"{currency}:{date.isoformat()}",
        occurred_at=happened_at,
        actor=actor,
        codes={"rate": str(rate)},
    )
    return row
