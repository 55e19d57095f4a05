"""A customer's own figures and rhythm."""

from datetime import timedelta
from decimal import Decimal

import pytest

from crm.selectors import figures
from crm.selectors.figures import Rhythm, history_of, purchase_figures
from tests.cast import NOON, make_customer, make_order

pytestmark = pytest.mark.django_db


def buys(customer, *days_ago, **fields):
    for days in days_ago:
        make_order(customer=customer, ordered_at=NOON - timedelta(days=days), **fields)


def test_cancelled_orders_do_not_count_and_currencies_stay_apart():
    customer = make_customer()
    buys(customer, 3, amount=10, currency="EUR")
    buys(customer, 2, amount="2.5", currency="EUR")
    buys(customer, 1, amount=7, currency="USD")
    buys(customer, 0, amount=100, status="cancelled")
    wanted = {"EUR": Decimal("12.5"), "USD": Decimal(7)}
    for found in (
        history_of(customer.pk, now=NOON)[0],
        purchase_figures([customer.pk])[customer.pk],
    ):
        assert (found.orders, found.revenue) == (3, wanted)
        assert found.last_at == NOON - timedelta(days=1)


def test_many_orders_are_added_up_by_the_database(monkeypatch):
    monkeypatch.setattr(figures, "MOST_ROWS", 2)
    customer = make_customer()
    buys(customer, 3, 2, 1, amount=10, currency="EUR")
    assert history_of(customer.pk, now=NOON)[0].revenue == {"EUR": Decimal(30)}


def test_nobody_without_purchases_has_figures():
    customer = make_customer()
    found, rhythm = history_of(customer.pk, now=NOON)
    assert (found.orders, found.last_at, found.revenue, rhythm) == (0, None, {}, None)


def test_the_rhythm_is_the_median_gap_between_purchase_days():
    customer = make_customer()
    buys(customer, 60, 50, 40, 40, 10)  # gaps 10, 10, 30; the same day counts once
    assert history_of(customer.pk, now=NOON)[1] == Rhythm(usual_days=10, days_since=10)


def test_fewer_than_four_days_tell_no_rhythm():
    customer = make_customer()
    buys(customer, 30, 20, 10, 10)
    assert history_of(customer.pk, now=NOON)[1] is None


def test_late_means_half_again_as_long_as_usual():
    assert not Rhythm(usual_days=10, days_since=15).is_late
    assert Rhythm(usual_days=10, days_since=16).is_late
