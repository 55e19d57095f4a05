"""Published and worked examples, through the database."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from common.time import Period
from crm.models import Cost
from feedback.models import Complaint
from feedback.services import ensure_nps_survey
from feedback.services.past import PastResponse, record_past_responses
from metrics.answers import answer_figure
from tests.cast import make_product
from tests.metrics.worlds import (
    RECORDED,
    complain,
    complaint_example,
    customers,
    order,
    record,
    retention_example,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def figure(key: str, period: str | None = None, **options: Any) -> dict[str, Any]:
    return answer_figure(
        key, now=NOW, period=Period.parse(period) if period else None, **options
    ).document


def test_50_complaints_of_700_are_7_14_per_cent_and_large() -> None:
    complaint_example()
    found = figure("complaint_rate", "2025-09")
    assert (found["value"], found["numerator"], found["denominator"]) == ("7.142857", 50, 700)
    assert (found["low"], found["high"]) == ("5.459811", "9.293719")
    assert (found["complete"], found["flags"], found["unit"]) == (True, ["large"], "percent")


def test_a_period_younger_than_90_days_shows_its_complaints_so_far_without_a_value() -> None:
    complaint_example()
    found = figure("complaint_rate", "2025-09", as_of=datetime(2025, 12, 29, tzinfo=UTC))
    assert (found["value"], found["complete"]) == (None, False)
    assert (found["numerator"], found["denominator"]) == (50, 700)
    assert "large" in found["flags"]
    later = figure("complaint_rate", "2025-09", as_of=datetime(2025, 12, 30, tzinfo=UTC))
    assert (later["value"], later["complete"]) == ("7.142857", True)


def test_a_complaint_counts_for_the_product_it_names_only() -> None:
    book, lamp = make_product(sku="book"), make_product(sku="lamp")
    people = complaint_example(product=book)
    record([order(people[0], datetime(2025, 9, 10, 12, tzinfo=UTC))], product=lamp)
    of_book = figure("complaint_rate", "2025-09", product_sku="book")
    of_lamp = figure("complaint_rate", "2025-09", product_sku="lamp")
    assert (of_book["numerator"], of_book["denominator"]) == (50, 700)
    assert (of_lamp["numerator"], of_lamp["denominator"]) == (0, 1)
    assert "small_n" in of_lamp["flags"]
    complain(people[:1], datetime(2025, 9, 20, tzinfo=UTC), product=lamp)
    assert figure("complaint_rate", "2025-09", product_sku="lamp")["numerator"] == 1


def test_a_complaint_on_the_90th_day_counts_and_one_after_does_not() -> None:
    first, second, third = customers(3)
    got = datetime(2025, 9, 10, 12, tzinfo=UTC)
    record([order(one, got) for one in (first, second, third)])
    complain([first], got)
    complain([second], datetime(2025, 12, 9, 11, 59, tzinfo=UTC))
    complain([third], datetime(2025, 12, 9, 12, tzinfo=UTC))
    assert figure("complaint_rate", "2025-09")["numerator"] == 2


def test_retention_keeps_six_of_ten_and_the_simple_form_counts_the_won_back() -> None:
    retention_example()
    strict = figure("retention_rate", "2025-Q4")
    simple = figure("retention_rate_source", "2025-Q4")
    lapsed = figure("churn_rate", "2025-Q4")
    assert (strict["value"], strict["numerator"], strict["denominator"]) == ("60.000000", 6, 10)
    assert (simple["value"], simple["numerator"]) == ("80.000000", 8)
    assert (lapsed["value"], lapsed["numerator"]) == ("40.000000", 4)
    assert (strict["window"], strict["flags"], strict["complete"]) == ("90 days", [], True)
    assert (simple["low"], simple["high"]) == (None, None)


def test_monthly_retention_is_labelled_rolling() -> None:
    retention_example()
    assert figure("retention_rate", "2025-12")["flags"] == ["rolling"]


def test_a_look_back_before_the_first_loaded_day_leaves_the_value_out() -> None:
    first, second = customers(2)
    record([order(one, datetime(2025, 7, 3, tzinfo=UTC)) for one in (first, second)])
    record([order(first, datetime(2025, 9, 30, tzinfo=UTC))])
    september = figure("retention_rate", "2025-09")
    assert september["flags"] == ["rolling", "left_truncated", "few"]
    assert (september["value"], september["complete"]) == (None, False)
    assert september["denominator"] == 2
    # 90 days before 1 October is 3 July, the first loaded day itself.
    assert figure("retention_rate", "2025-10")["flags"] == ["rolling", "few"]


def test_the_average_purchase_counts_orders_of_value_0_but_not_cancelled_ones() -> None:
    at = datetime(2025, 9, 10, tzinfo=UTC)
    [one] = customers(1)
    record(
        [
            order(one, at, amount=20),
            order(None, at, amount=30),
            order(one, at, amount=0),
            order(one, at, amount=1000, status="cancelled", delivered_at=None),
            order(one, at, amount=1000, currency="EUR"),
        ]
    )
    found = figure("average_order_value", "2025-09")
    assert (found["numerator"], found["denominator"]) == ("50.00", 3)
    assert (found["value"], found["currency"]) == ("16.666667", "USD")


def test_the_interval_of_a_mean_is_students() -> None:
    at = datetime(2025, 9, 10, tzinfo=UTC)
    record([order(None, at, amount=amount) for amount in (10, 20, 30)])
    found = figure("average_order_value", "2025-09")
    # mean 20, s = 10, t(2, 97.5 %) = 4.302653: 20 ± 24.841377
    assert (found["low"], found["high"]) == ("-4.841377", "44.841377")


def test_the_repeat_rate_waits_90_days_and_takes_the_same_instant_as_one() -> None:
    t = datetime(2025, 9, 1, 12, tzinfo=UTC)
    same, again, late, young = customers(4)
    record([order(same, t), order(same, t)])
    record([order(again, t), order(again, datetime(2025, 11, 30, 11, 59, tzinfo=UTC))])
    record([order(late, t), order(late, datetime(2025, 11, 30, 12, tzinfo=UTC))])
    record([order(young, NOW), order(young, NOW)])
    found = figure("repeat_purchase_rate_90d")
    assert (found["period"], found["numerator"], found["denominator"]) == (None, 1, 3)
    ever = figure("repeat_purchase_rate_lifetime")
    assert (ever["numerator"], ever["denominator"]) == (3, 3)  # the young one bought at NOW


def test_the_net_score_takes_the_latest_answer_and_leaves_void_ones_out() -> None:
    people = customers(4)
    rows = [(0, 10, 1), (0, 3, 2), (1, 9, 1), (2, 8, 1), (3, 10, 1)]
    record_past_responses(
        survey=ensure_nps_survey(),
        actor="system",
        rows=[
            PastResponse(
                external_id=f"a{place}",
                customer_id=people[who].pk,
                score=score,
                answered_at=datetime(2025, 9, day, tzinfo=UTC),
            )
            for place, (who, score, day) in enumerate(rows)
        ],
    )
    known_at = datetime(2100, 1, 1, tzinfo=UTC)
    found = figure("nps", "2025-09", known_at=known_at, as_of=NOW)
    assert (found["numerator"], found["denominator"], found["value"]) == (1, 4, "25.000000")
    assert found["flags"] == ["few"]


def test_withdrawn_complaints_do_not_count_once_that_is_known() -> None:
    from feedback.models import ComplaintEvent

    [one] = customers(1)
    got = datetime(2025, 9, 10, tzinfo=UTC)
    record([order(one, got)])
    [complaint] = complain([one], got)
    withdrawn_at = datetime(2026, 2, 1, tzinfo=UTC)
    ComplaintEvent.objects.create(
        complaint=complaint,
        to_state="withdrawn",
        actor="system",
        occurred_at=withdrawn_at,
        recorded_at=withdrawn_at,
    )
    assert Complaint.objects.count() == 1
    before = figure("complaint_rate", "2025-09", known_at=datetime(2026, 1, 31, tzinfo=UTC))
    after = figure("complaint_rate", "2025-09")
    assert (before["numerator"], after["numerator"]) == (1, 0)


def test_a_past_answer_is_given_again_after_the_facts_changed() -> None:
    from crm.services import change_order
    from tests.cast import make_order

    [one] = customers(1)
    at = datetime(2025, 9, 10, tzinfo=UTC)
    made = make_order(customer=one, amount=100, ordered_at=at)
    made.refresh_from_db()
    known_then = made.revised_at
    asked = {"as_of": datetime(2025, 10, 1, tzinfo=UTC), "known_at": known_then}
    first = figure("average_order_value", "2025-09", **asked)
    change_order(order_id=made.pk, happened_at=at, actor="system", amount=Decimal(70))
    make_order(customer=one, amount=30, ordered_at=at)
    again = figure("average_order_value", "2025-09", **asked)
    later = datetime(2100, 1, 1, tzinfo=UTC)
    now = figure("average_order_value", "2025-09", as_of=asked["as_of"], known_at=later)
    assert (first["numerator"], first["denominator"]) == ("100.00", 1)
    assert (again["numerator"], again["denominator"]) == ("100.00", 1)
    assert (now["numerator"], now["denominator"]) == ("100.00", 2)


def test_facts_after_as_of_are_cut_by_the_time_they_occurred() -> None:
    [one] = customers(1)
    record([order(one, datetime(2025, 9, day, tzinfo=UTC)) for day in (1, 2, 3)])
    found = figure("average_order_value", "2025-09", as_of=datetime(2025, 9, 3, tzinfo=UTC))
    assert (found["denominator"], found["value"], found["complete"]) == (2, None, False)


def test_a_figure_of_invented_costs_says_so_until_real_ones_replace_them() -> None:
    [one] = customers(1)
    record([order(one, datetime(2025, 9, 10, tzinfo=UTC))])
    cost = {"month": date(2025, 9, 1), "category": "marketing", "currency": "USD"}
    for amount, is_simulated in ((40, True), (30, False)):
        Cost.objects.create(
            **cost, amount=amount, is_simulated=is_simulated, actor="test", recorded_at=RECORDED
        )
        found = figure("cost_to_acquire", "2025-09")
        assert found["numerator"] == f"{amount}.00"
        assert ("simulated" in found["flags"]) == is_simulated
    assert "simulated" not in figure("retention_rate", "2025-Q4")["flags"]
