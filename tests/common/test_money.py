"""Money is exact: in Python, in both databases, and in sums."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db.models import Max, Min, Sum
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from common.money import LARGEST, MoneyField, from_units, round_cents, to_units
from crm.models import Order, Product
from tests.cast import make_order, make_product
from tests.requirements import tries

AMOUNTS = st.decimals(-LARGEST, LARGEST, places=4, allow_nan=False, allow_infinity=False)


@given(AMOUNTS)
def test_units_and_back_is_the_same_amount(amount: Decimal) -> None:
    assert from_units(to_units(amount)) == amount


@given(st.integers(-(10**15), 10**15))
def test_amount_and_back_is_the_same_units(units: int) -> None:
    assert to_units(from_units(units)) == units


def test_amounts_show_at_least_two_decimals() -> None:
    shown = [str(from_units(units)) for units in (0, 1, 100, 12_500, 12_505, 10_000, -5_000)]
    assert shown == ["0.00", "0.0001", "0.01", "1.25", "1.2505", "1.00", "-0.50"]


@pytest.mark.parametrize("amount", ["0.00001", "NaN", "Infinity", "-Infinity", "1E-5"])
def test_what_has_no_units_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match=r"decimals|finite"):
        to_units(Decimal(amount))


@pytest.mark.parametrize("value", ["x", "NaN", "1.00001", object(), float("nan"), float("inf")])
def test_the_field_refuses_what_is_no_amount(value: object) -> None:
    with pytest.raises(ValidationError):
        MoneyField().to_python(value)


def test_the_field_reads_floats_as_they_are_written() -> None:
    assert MoneyField().to_python(0.1) == Decimal("0.1")


def test_half_a_cent_goes_to_the_even_cent() -> None:
    assert [round_cents(Decimal(text)) for text in ("0.005", "0.015", "-0.025")] == [
        Decimal("0.00"),
        Decimal("0.02"),
        Decimal("-0.02"),
    ]


class InTheDatabase(TestCase):
    """Hypothesis rolls the database back after each example."""

    @settings(max_examples=tries(25), deadline=None)
    @given(st.lists(st.decimals(0, 10**9, places=4), min_size=1, max_size=6))
    def test_sums_and_extremes_are_exact(self, amounts: list[Decimal]) -> None:
        for amount in amounts:
            make_order(amount=amount)
        found = Order.objects.aggregate(Sum("amount"), Min("amount"), Max("amount"))
        assert found["amount__sum"] == sum(amounts)
        assert (found["amount__min"], found["amount__max"]) == (min(amounts), max(amounts))


@pytest.mark.django_db
def test_a_million_times_ten_cents_is_exact() -> None:
    product = make_product(price=Decimal("0.1"))
    assert Product.objects.get(pk=product.pk).price * 1_000_000 == Decimal(100_000)


@pytest.mark.django_db
def test_amounts_compare_and_sort_in_the_database() -> None:
    for amount in ("10", "9.5", "100.0001"):
        make_order(amount=amount)
    assert Order.objects.filter(amount__gt=Decimal("9.5")).count() == 2
    assert [str(order.amount) for order in Order.objects.order_by("amount")] == [
        "9.50",
        "10.00",
        "100.0001",
    ]


@pytest.mark.django_db
def test_the_largest_amount_fits() -> None:
    make_order(amount=LARGEST)
    assert Order.objects.get().amount == LARGEST
