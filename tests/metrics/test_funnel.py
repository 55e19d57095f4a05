"""The funnel: its definitions against an oracle, and worked examples by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given

from metrics.compute import computing
from metrics.kpis import KPIS
from tests.metrics.histories import History, store_of
from tests.metrics.histories.facts import Bought, Enquired, Line
from tests.metrics.histories.funnel import Funnel
from tests.metrics.histories.strategies import (
    AS_OF,
    CUT,
    KNOWN_AT,
    PRODUCTS,
    examples,
    funnels,
    windows,
)

pytestmark = [pytest.mark.any_database]
ORACLES = {
    "funnel_lead_to_first": Funnel.lead_to_first,
    "funnel_first_to_paid": Funnel.first_to_paid,
    "immediate_upsell_rate": Funnel.upsell,
    "frontend_recipients": Funnel.recipients,
    "frontend_effectiveness": Funnel.effectiveness,
}


def found_in(history: History, *keys: str) -> dict[str, list[Any]]:
    with computing(store_of(history), **CUT) as computation:
        return {key: computation.figures(KPIS[key], windows()) for key in keys}


@pytest.mark.django_db
@examples(16)
@given(history=funnels)
def test_every_definition_of_the_funnel_is_what_a_plain_count_finds(history: History) -> None:
    funnel = Funnel(history, AS_OF, KNOWN_AT)
    for key, figures in found_in(history, *ORACLES).items():
        for window, figure in zip(windows(), figures, strict=True):
            expected = ORACLES[key](funnel, window)
            sets = {name: sorted(ids) for name, ids in expected.items() if ids}
            assert {name: list(ids) for name, ids in figure.sets.items() if len(ids)} == sets
            assert figure.numerator == len(expected["numerator"])
            assert figure.denominator == len(expected.get("denominator", ()))


@pytest.mark.django_db
@examples(6)
@given(history=funnels)
def test_every_product_has_the_figure_of_its_own_receipts(history: History) -> None:
    ids = [product.product_id for product in PRODUCTS if product.kind == "front_end"]
    keys = [key for key in ORACLES if KPIS[key].is_of_products]
    with computing(store_of(history), **CUT) as computation:
        for key in keys:
            found = computation.measures_of_products(KPIS[key], windows(), ids)
            for product_id in ids if history.lines else ():
                funnel = Funnel(history, AS_OF, KNOWN_AT, product_id)
                for window in windows():
                    expected = ORACLES[key](funnel, window)
                    measure = found[product_id][window.name]
                    sets = {name: sorted(ids_of) for name, ids_of in expected.items() if ids_of}
                    assert {name: list(ids_of) for name, ids_of in measure.sets.items()} == sets


DAY = timedelta(days=1)
JANUARY = windows()[2]
START = JANUARY.start


def bought(number: int, customer_id: int, at: Any, *, received: Any = None) -> Bought:
    return Bought(customer_id, at, order_id=number, delivered_at=received or at)


@pytest.mark.django_db
def test_a_receipt_thirty_days_to_the_second_after_asking_is_too_late() -> None:
    history = History(
        products=PRODUCTS,
        leads=[Enquired(1, START), Enquired(2, START), Enquired(3, START)],
        orders=[
            bought(1, 1, START, received=START + 30 * DAY),
            bought(2, 2, START, received=START + 30 * DAY - timedelta(seconds=1)),
            bought(3, 3, START - DAY),
        ],
        lines=[Line(1, 1), Line(2, 2), Line(3, 1)],
    )
    (figure,) = [one for one in found_in(history, "funnel_lead_to_first")["funnel_lead_to_first"]
                 if one.period == "2026-01"]  # fmt: skip
    assert (figure.numerator, figure.denominator) == (1, 3)
    assert list(figure.sets["numerator"]) == [2]


@pytest.mark.django_db
def test_what_was_bought_with_the_first_product_counts_and_what_came_before_does_not() -> None:
    history = History(
        products=PRODUCTS,
        orders=[
            bought(1, 1, START, received=START + 5 * DAY),  # both in one purchase
            bought(2, 2, START),
            bought(3, 2, START - timedelta(seconds=1)),  # the core product first
            bought(4, 3, START, received=START + 5 * DAY),
            bought(5, 3, START + 34 * DAY),  # within 30 days of the receipt
        ],
        lines=[Line(1, 1), Line(1, 3), Line(2, 1), Line(3, 3), Line(4, 1), Line(5, 3)],
    )
    found = found_in(history, "funnel_first_to_paid", "frontend_effectiveness")
    for figures in found.values():
        (figure,) = [one for one in figures if one.period == "2026-01"]
        assert list(figure.sets["numerator"]) == [1, 3]
        assert list(figure.sets["denominator"]) == [1, 2, 3]
