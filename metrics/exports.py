"""Figures as files: their periods, and the people behind them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import QueryDict

from common.errors import NotFound
from common.exports import AT_ONCE, Asked, Export, register_export
from crm.exports.names import customer_name, id_of, shop_code
from crm.selectors.figures import purchase_figures
from metrics.asked_people import people_asked
from metrics.forms import FigureForm, PeopleForm
from metrics.kpis import get_kpi
from metrics.models import MemberSet
from metrics.recorded_people import RecordedAsked, RecordedForm, recorded_set
from metrics.roles import READERS
from metrics.selectors.figures import figure_from, list_latest
from metrics.selectors.people import page_of
from metrics.selectors.runs import shown_run

PEOPLE = ("external_id", "name", "location", "stage", "last_order_at", "orders", "revenue")
PERIODS = (
    "figure",
    "period",
    "value",
    "low",
    "high",
    "numerator",
    "denominator",
    "complete",
    "notes",
)


def register() -> None:
    """Called once, when the apps are ready."""
    register_export("figures", roles=READERS, open=open_figure)
    register_export("figure_people", roles=READERS, open=open_people)
    register_export("recorded_people", roles=READERS, open=open_recorded)


def open_figure(asked: Asked) -> Export:
    """One figure period by period, as its page shows them, the latest first."""
    kpi, form = get_kpi(_key(asked.query)), FigureForm(asked.query)
    unit = form.chosen("unit") or ("month" if kpi.per == "as_of" else "quarter")
    segment = form.chosen("segment")
    snapshots = list_latest(keys=[kpi.key], units=(unit,), dimensions=(segment,))
    lines = [
        (
            kpi.key,
            one.period,
            one.value,
            one.low,
            one.high,
            one.numerator,
            one.denominator,
            one.is_complete,
            " ".join(one.flags),
        )
        for one in map(figure_from, reversed(snapshots))
    ]
    return Export(
        columns=PERIODS,
        lines=lines,
        count=lambda: len(lines),
        filters={"figure": kpi.key, "unit": unit} | ({"segment": segment} if segment else {}),
    )


def open_people(asked: Asked) -> Export:
    """Everybody in one of a figure's sets.

    :raises NotFound: no such figure, set or period.
    """
    kpi = get_kpi(_key(asked.query))
    found = people_asked(kpi, PeopleForm(asked.query))
    filters = {"figure": kpi.key, "set": found.name, "period": found.snapshot.period}
    if found.snapshot.dimension:
        filters["segment"] = found.snapshot.dimension
    if found.other:
        filters |= {"other": found.other.period, "part": found.part}
    return people_export(found.members, filters)


def open_recorded(asked: Asked) -> Export:
    """Who complained about something, answered a survey, asked to leave for a reason.

    :raises NotFound: nothing was computed yet, or the address doesn't fit.
    """
    run = shown_run()
    if run is None:
        raise NotFound
    wanted = RecordedAsked.from_form(RecordedForm(asked.query))
    return people_export(recorded_set(run, wanted), dict(wanted.filters))


def people_export(members: MemberSet | None, filters: dict[str, Any]) -> Export:
    """Everybody in a set. filters: what names it."""
    return Export(
        columns=PEOPLE,
        lines=_people_lines(members),
        count=lambda: members.size if members else 0,
        filters=filters,
    )


def _people_lines(members: MemberSet | None) -> Iterator[tuple[Any, ...]]:
    """Yield a line per customer, in the order of their ids; two queries per thousand."""
    after: int | None = 0
    while after is not None:
        page = page_of(members, after=after, size=AT_ONCE)
        bought = purchase_figures([customer.pk for customer in page.customers])
        for customer in page.customers:
            figures = bought[customer.pk]
            yield (
                id_of(customer),
                customer_name(customer),
                shop_code(customer.location),
                customer.stage,
                figures.last_at,
                figures.orders,
                "; ".join(f"{amount} {code}" for code, amount in figures.revenue.items()),
            )
        after = page.after


def _key(query: QueryDict) -> str:
    return query.get("figure", "")
