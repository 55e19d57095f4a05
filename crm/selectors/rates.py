"""What foreign money is worth in the organisation's currency."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet

from common.money import round_cents
from crm.models import ExchangeRate

SCALE = 8  # decimals of a rate
ONE = Decimal(1)


def rate_of(row: ExchangeRate) -> Decimal:
    """Return the rate as a number with eight decimals."""
    return Decimal(row.rate).scaleb(-SCALE)


def rates_in_force(*, known_at: datetime | None = None) -> QuerySet[ExchangeRate]:
    """Return the row recorded last per currency and day.

    known_at: as known then; None for now.
    """
    later = ExchangeRate.objects.filter(
        currency=OuterRef("currency"), date=OuterRef("date"), pk__gt=OuterRef("pk")
    )
    rates = ExchangeRate.objects.all()
    if known_at is not None:
        later = later.filter(recorded_at__lte=known_at)
        rates = rates.filter(recorded_at__lte=known_at)
    return rates.filter(~Exists(later))


def list_rates(*, currency: str = "") -> QuerySet[ExchangeRate]:
    """Return rates in force, those of one currency if it is given."""
    rates = rates_in_force()
    return rates.filter(currency=currency) if currency else rates


def rate_currencies() -> list[str]:
    """Return the currencies that have rates, in alphabetical order; one query."""
    return list(
        ExchangeRate.objects.order_by("currency").values_list("currency", flat=True).distinct()
    )


def rate_on(currency: str, day: date, *, known_at: datetime | None = None) -> Decimal | None:
    """Return what one unit was worth on a local day; None where no rate was known.

    A day without a rate takes the latest day before it; the organisation's own currency is 1.
    known_at: as known then; None for now. At most one query.
    """
    if currency == settings.KEEPWELL_CURRENCY:
        return ONE
    rates = ExchangeRate.objects.filter(currency=currency, date__lte=day)
    if known_at is not None:
        rates = rates.filter(recorded_at__lte=known_at)
    # Of a day's rows the one recorded last is in force.
    row = rates.order_by("-date", "-id").first()
    return rate_of(row) if row else None


def at_home(
    amounts: Mapping[str, Decimal], day: date, *, known_at: datetime | None = None
) -> Decimal | None:
    """Return amounts by currency as one sum in the organisation's; None where a rate is missing.

    One query per foreign currency. Rounded to cents once, at the end.
    """
    total = Decimal(0)
    for currency, amount in amounts.items():
        rate = rate_on(currency, day, known_at=known_at)
        if rate is None:
            return None
        total += amount * rate
    return round_cents(total)


def rates_for(
    wanted: Iterable[tuple[str, date]], *, known_at: datetime | None = None
) -> dict[tuple[str, date], Decimal]:
    """Return (currency, day) → rate for many at once; pairs without a rate lack.

    Two queries per foreign currency, however many days.
    """
    days: dict[str, set[date]] = {}
    for currency, day in wanted:
        days.setdefault(currency, set()).add(day)
    found: dict[tuple[str, date], Decimal] = {}
    for currency, asked in days.items():
        if currency == settings.KEEPWELL_CURRENCY:
            found |= {(currency, day): ONE for day in asked}
            continue
        latest = rate_on(currency, min(asked), known_at=known_at)
        rows = iter(
            rates_in_force(known_at=known_at)
            .filter(currency=currency, date__gt=min(asked), date__lte=max(asked))
            .order_by("date")
        )
        row = next(rows, None)
        for day in sorted(asked):
            while row is not None and row.date <= day:
                latest, row = rate_of(row), next(rows, None)
            if latest is not None:
                found[currency, day] = latest
    return found
