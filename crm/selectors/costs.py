"""What winning and serving customers cost, by month, category and shop."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db.models import Max, QuerySet, Sum

from common.money import round_cents
from common.time import Period
from crm.models import Cost
from crm.selectors.rates import rates_for


@dataclass(slots=True)
class CostMonth:
    """A month's costs.

    amounts: category → amount in the organisation's currency; None where a rate is missing.
    foreign: currency → amount, of what was spent in other money.
    """

    month: date
    amounts: dict[str, Decimal | None] = field(default_factory=dict)
    foreign: dict[str, Decimal] = field(default_factory=dict)

    @property
    def marketing(self) -> Decimal | None:
        """What winning customers cost."""
        return self.amounts.get(Cost.Category.MARKETING, Decimal(0))

    @property
    def service(self) -> Decimal | None:
        """What serving them cost."""
        return self.amounts.get(Cost.Category.SERVICE, Decimal(0))

    @property
    def total(self) -> Decimal | None:
        """Both together; None where a rate is missing."""
        if self.marketing is None or self.service is None:
            return None
        return self.marketing + self.service


def costs_in_force(*, known_at: datetime | None = None) -> QuerySet[Cost]:
    """Return the row recorded last per month, category and shop, unless nothing was spent.

    known_at: as known then; None for now.
    """
    rows = Cost.objects.all()
    if known_at is not None:
        rows = rows.filter(recorded_at__lte=known_at)
    last = rows.order_by().values("month", "category", "location").annotate(last=Max("id"))
    return Cost.objects.filter(pk__in=last.values("last"), amount__gt=0)


def list_costs(*, month: date | None = None, location_id: int | None = None) -> QuerySet[Cost]:
    """Return costs in force with their shop, those of one month or shop if it is given."""
    costs = costs_in_force().select_related("location")
    if month:
        costs = costs.filter(month=month)
    if location_id:
        costs = costs.filter(location_id=location_id)
    return costs


def cost_history(month: date) -> list[Cost]:
    """Return every row ever recorded for a month, latest first; one query."""
    return list(Cost.objects.filter(month=month).select_related("location").order_by("-id")[:200])


def cost_months(year: int, *, location_id: int | None = None) -> list[CostMonth]:
    """Return the months of a year that have costs, latest first; few queries.

    Foreign money counts at the rate of the month's last day.
    """
    costs = list_costs(location_id=location_id).filter(
        month__gte=date(year, 1, 1), month__lt=date(year + 1, 1, 1)
    )
    sums = list(
        costs.order_by("-month")
        .values_list("month", "category", "currency")
        .annotate(total=Sum("amount"))
    )
    rates = rates_for((currency, last_day(month)) for month, _category, currency, _sum in sums)
    months: dict[date, CostMonth] = {}
    for month, category, currency, total in sums:
        entry = months.setdefault(month, CostMonth(month))
        rate = rates.get((currency, last_day(month)))
        before = entry.amounts.get(category, Decimal(0))
        home = None if rate is None else round_cents(total * rate)
        entry.amounts[category] = None if home is None or before is None else before + home
        if rate != 1:
            entry.foreign[currency] = entry.foreign.get(currency, Decimal(0)) + total
    return list(months.values())


def cost_years() -> list[int]:
    """Return the years that have costs, latest first; one query."""
    return [day.year for day in Cost.objects.dates("month", "year", order="DESC")]


def last_day(month: date) -> date:
    """Return the last day of a month given by its first."""
    return Period.containing(month, "month").end_day - timedelta(days=1)
