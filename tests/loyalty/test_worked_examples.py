"""Worked examples: each can be checked with a calendar and a pocket calculator.

Points are whole. A purchase's points can be used once its days for returns are over; they lapse at
the end of a day of the business's own.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from common.errors import InvalidInput
from common.sweeping import run_sweeper
from crm.services import change_order
from crm.services.refunds import record_refund
from loyalty.models import PointsLot, PointsTransaction, RuleVersion
from loyalty.selectors import balance_of, verify_ledger
from loyalty.services import accrue_due, change_rule, change_terms
from loyalty.services.programme import open_programme
from loyalty.services.tiers import add_tier
from tests.cast import ACTOR, make_customer, make_order
from tests.loyalty.spending import make_member, make_reward, redeem

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
BERLIN = ZoneInfo("Europe/Berlin")


class Shop:
    """One member, and what an accountant would note: dates on the business's own clock."""

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.member = make_customer(name="Vera")

    def on(self, moment: str) -> None:
        """Go to a moment, such as "2026-03-29 18:00"; whatever is due is booked."""
        self.clock.moment = datetime.fromisoformat(moment).replace(tzinfo=BERLIN).astimezone(UTC)
        accrue_due(self.clock())

    def buys(self, amount: str, **fields: Any) -> Any:
        order = make_order(
            customer=self.member, amount=Decimal(amount), ordered_at=self.clock(), **fields
        )
        accrue_due(self.clock())
        return order

    def cancels(self, order: Any) -> None:
        change_order(order_id=order.pk, status="cancelled", happened_at=self.clock(), actor=ACTOR)
        accrue_due(self.clock())

    def refunds(self, order: Any, amount: str) -> None:
        record_refund(
            order_id=order.pk,
            amount=Decimal(amount),
            refunded_at=self.clock(),
            happened_at=self.clock(),
            actor=ACTOR,
        )
        accrue_due(self.clock())

    def uses(self, points: int) -> Any:
        reward = make_reward("payment", points=1, starts_at=self.clock())
        return redeem(self.member, reward, points=points, amount=Decimal(1_000_000))

    def measures(self) -> None:
        """Let the sweeps look at everybody's tier."""
        for name in ("end_tiers", "tiers", "measure_tiers"):
            run_sweeper(f"loyalty.{name}", self.clock())

    @property
    def usable(self) -> int:
        return balance_of(self.member.pk, self.clock()).available

    @property
    def pending(self) -> int:
        return balance_of(self.member.pk, self.clock()).pending

    @property
    def debt(self) -> int:
        return balance_of(self.member.pk, self.clock()).debt


@pytest.fixture
def shop(settings: Any, clock: Any) -> Any:
    """A shop in Berlin: a point for each euro, 14 days for returns, no end of points."""
    settings.KEEPWELL_TIMEZONE = "Europe/Berlin"
    clock.moment = datetime(2026, 1, 1, 9, tzinfo=BERLIN).astimezone(UTC)
    open_programme(
        name="Sunny", starts_at=clock(), happened_at=clock(), actor=ACTOR, pending_days=14
    )
    yield Shop(clock)
    assert verify_ledger().drifts == []


def under(shop: Shop, **terms: Any) -> None:
    """Change the programme's terms from this moment on."""
    from loyalty.selectors import get_programme

    change_terms(
        programme_id=get_programme().pk,
        valid_from=shop.clock(),
        happened_at=shop.clock(),
        actor=ACTOR,
        **terms,
    )


# The calendar


def test_the_return_window_over_the_change_to_summer_time(shop) -> None:
    """Bought on 20 March; 14 days for returns end with 3 April. Clocks went forward on 29 March."""
    shop.on("2026-03-20 18:00")
    shop.buys("50.00")
    shop.on("2026-04-03 23:59")
    assert (shop.pending, shop.usable) == (50, 0)
    shop.on("2026-04-04 00:00")
    assert (shop.pending, shop.usable) == (0, 50)
    assert PointsLot.objects.get().available_from == datetime(2026, 4, 3, 22, tzinfo=UTC)


def test_points_for_thirty_days_over_the_change_to_winter_time(shop) -> None:
    """Usable on 1 October, for 30 days: the last is 31 October. Clocks went back on the 25th."""
    shop.on("2026-10-01 10:00")
    under(shop, pending_days=0, expiry="days", expiry_count=30)
    shop.buys("50.00")
    shop.on("2026-10-31 23:59")
    assert shop.usable == 50
    shop.on("2026-11-01 00:00")
    assert shop.usable == 0
    assert PointsLot.objects.get().expires_at == datetime(2026, 10, 31, 23, tzinfo=UTC)


def test_points_of_a_leap_day_for_a_year(shop) -> None:
    """Bought on 29 February 2028, good for 12 months: the last day is 28 February 2029."""
    shop.on("2028-02-29 12:00")
    under(shop, pending_days=0, expiry="months", expiry_count=12)
    shop.buys("10.00")
    shop.on("2029-02-28 23:59")
    assert shop.usable == 10
    shop.on("2029-03-01 00:00")
    assert shop.usable == 0


def test_points_of_the_last_of_january_for_a_month(shop) -> None:
    """February has no 31st: its last day is the last to use them."""
    shop.on("2026-01-31 20:00")
    under(shop, pending_days=0, expiry="months", expiry_count=1)
    shop.buys("10.00")
    shop.on("2026-02-28 23:59")
    assert shop.usable == 10
    shop.on("2026-03-01 00:00")
    assert shop.usable == 0


def test_points_that_lapse_at_the_end_of_the_month_or_year(shop) -> None:
    """Bought on 10 February: 3 months on is 10 May. The end of May, or that of the year."""
    shop.on("2026-02-10 12:00")
    under(shop, pending_days=0, expiry="months", expiry_count=3, expiry_end="month")
    shop.buys("10.00")
    shop.on("2026-02-10 13:00")
    under(shop, pending_days=0, expiry="months", expiry_count=3, expiry_end="year")
    shop.buys("7.00")
    shop.on("2026-05-31 23:59")
    assert shop.usable == 17
    shop.on("2026-06-01 00:00")
    assert shop.usable == 7
    shop.on("2027-01-01 00:00")
    assert shop.usable == 0


# Taking back


def test_a_purchase_taken_back_after_the_rate_changed(shop) -> None:
    """Two points a euro when it was bought, five when it came back: what it earned goes, 80."""
    rule = RuleVersion.objects.get().rule
    shop.on("2026-02-01 09:00")
    change_rule(
        rule_id=rule.pk, valid_from=shop.clock(), happened_at=shop.clock(), actor=ACTOR, points=2
    )
    order = shop.buys("40.00")
    assert shop.pending == 80
    shop.on("2026-02-05 09:00")
    change_rule(
        rule_id=rule.pk, valid_from=shop.clock(), happened_at=shop.clock(), actor=ACTOR, points=5
    )
    shop.buys("10.00")
    assert shop.pending == 130
    shop.cancels(order)
    assert shop.pending == 50


def test_a_part_of_a_purchase_refunded_after_the_rate_changed(shop) -> None:
    """40.00 at two points a euro earned 80. 10.00 come back, a quarter: 20 points go, 60 stay."""
    shop.on("2026-02-01 09:00")
    rate = {"rule_id": RuleVersion.objects.get().rule_id, "actor": ACTOR}
    change_rule(valid_from=shop.clock(), happened_at=shop.clock(), points=2, **rate)
    order = shop.buys("40.00")
    shop.on("2026-02-03 09:00")
    change_rule(valid_from=shop.clock(), happened_at=shop.clock(), points=9, **rate)
    shop.on("2026-02-05 09:00")
    shop.refunds(order, "10.00")
    assert shop.pending == 60
    shop.refunds(order, "30.00")
    assert shop.pending == 0


def test_a_refund_after_the_points_were_used_is_repaid_by_the_next_purchase(shop) -> None:
    """100 earned and used. 25.00 come back: 25 are owed. The next 60 points: 25 repay, 35 stay."""
    shop.on("2026-02-01 09:00")
    under(shop, pending_days=0)
    order = shop.buys("100.00")
    shop.uses(100)
    shop.on("2026-02-05 09:00")
    shop.refunds(order, "25.00")
    assert (shop.usable, shop.debt) == (0, 25)
    shop.buys("60.00")
    assert (shop.usable, shop.debt) == (35, 0)


def test_a_purchase_taken_back_after_its_points_were_used(shop) -> None:
    """100 earned, 70 used, 100 taken back: 30 are left to take, 70 are owed; 90 more repay them."""
    shop.on("2026-02-01 09:00")
    under(shop, pending_days=0)
    order = shop.buys("100.00")
    shop.uses(70)
    shop.cancels(order)
    assert (shop.usable, shop.debt) == (0, 70)
    shop.buys("50.00")
    assert (shop.usable, shop.debt) == (0, 20)
    shop.buys("40.00")
    assert (shop.usable, shop.debt) == (20, 0)


def test_a_debt_waits_for_the_points_to_be_usable_only_if_they_are_pending(shop) -> None:
    """Points of a purchase pay what is owed at once, even those that can't be used yet."""
    shop.on("2026-02-01 09:00")
    order = shop.buys("100.00")
    shop.on("2026-02-20 09:00")
    shop.uses(100)
    shop.cancels(order)
    assert shop.debt == 100
    shop.buys("130.00")
    assert (shop.pending, shop.usable, shop.debt) == (30, 0, 0)


def test_a_reward_given_back_returns_the_points_to_their_own_dates(shop) -> None:
    """10 until the end of March, 10 until the end of April. 15 used take March's and 5 of April's;
    given back, March's lapse with March all the same."""
    march, april = (datetime(2026, month, 1, tzinfo=BERLIN).astimezone(UTC) for month in (4, 5))
    shop.member = make_member((10, march), (10, april))
    shop.on("2026-03-20 12:00")
    used = shop.uses(15)
    assert shop.usable == 5
    from loyalty.services.redemption_reversal import reverse_redemption

    reverse_redemption(redemption_id=used.pk, happened_at=shop.clock(), actor=ACTOR)
    assert shop.usable == 20
    shop.on("2026-04-01 00:00")
    assert shop.usable == 10


# Rounding


@pytest.mark.parametrize(
    ("rounding", "points"),
    [
        # 0.10 a point · 9.99 → 99.9 · 0.05 → 0.5 · 0.04 → 0.4 · 10.00 → 100
        ("down", {"9.99": 99, "0.05": 0, "0.04": 0, "10.00": 100}),
        ("half_up", {"9.99": 100, "0.05": 1, "0.04": 0, "10.00": 100}),
        ("up", {"9.99": 100, "0.05": 1, "0.04": 1, "10.00": 100}),
    ],
)
def test_a_fraction_of_a_point_is_rounded_as_the_rule_says(shop, rounding, points) -> None:
    shop.on("2026-02-01 09:00")
    change_rule(
        rule_id=RuleVersion.objects.get().rule_id,
        valid_from=shop.clock(),
        happened_at=shop.clock(),
        actor=ACTOR,
        points=1,
        per_amount=Decimal("0.10"),
        rounding=rounding,
    )
    for amount in points:
        shop.buys(amount)
    earned = PointsTransaction.objects.filter(kind="earn").order_by("pk")
    assert list(earned.values_list("points", flat=True)) == list(points.values())


# Tiers


def test_a_tier_multiplies_until_it_is_lost(shop) -> None:
    """Silver from 100 points of the last 12 months, points × 1.5. Reached in February 2026 by a
    purchase of 120.00; the next 100.00 earn 150. A year later neither counts any more: 100.00 earn
    100, and of what was earned nothing is taken."""
    add_tier(
        name="Silver",
        threshold=Decimal(100),
        multiplier=Decimal("1.5"),
        happened_at=shop.clock(),
        actor=ACTOR,
    )
    shop.on("2026-02-10 10:00")
    shop.buys("120.00")
    shop.measures()
    shop.on("2026-02-11 10:00")
    shop.buys("100.00")
    assert shop.pending == 120 + 150
    shop.on("2027-04-01 10:00")
    shop.measures()
    shop.buys("100.00")
    assert (shop.pending, shop.usable) == (100, 270)


# What is refused


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("points", -1),
        ("points", 0),
        ("points", 10_001),
        ("per_amount", Decimal(0)),
        ("per_amount", Decimal("0.001")),
        ("per_amount", Decimal(10) ** 30),
    ],
)
def test_an_impossible_rate_is_refused(shop, field, value) -> None:
    before = RuleVersion.objects.count()
    with pytest.raises(InvalidInput) as refused:
        change_rule(
            rule_id=RuleVersion.objects.get().rule_id,
            valid_from=shop.clock() + timedelta(days=1),
            happened_at=shop.clock(),
            actor=ACTOR,
            **{field: value},
        )
    assert list(refused.value.fields) == [field]
    assert RuleVersion.objects.count() == before


@pytest.mark.parametrize("amount", ["0.00", "-5.00"])
def test_a_purchase_of_nothing_earns_nothing(shop, amount) -> None:
    shop.buys(amount)
    assert PointsTransaction.objects.get().points == 0
    assert not PointsLot.objects.exists()


@pytest.mark.parametrize("points", [0, -5, 10**30])
def test_an_impossible_number_of_points_is_refused(shop, points) -> None:
    shop.member = make_member(100)
    before = PointsTransaction.objects.count()
    with pytest.raises(InvalidInput) as refused:
        shop.uses(points)
    assert list(refused.value.fields) == ["points"]
    assert (shop.usable, PointsTransaction.objects.count()) == (100, before)


def test_the_dearest_purchase_at_the_highest_rate_still_fits(shop) -> None:
    """10,000 points a cent: 99,999,999,999.99 earn 99,999,999,999,990,000, less than 2⁶³."""
    shop.on("2026-02-01 09:00")
    change_rule(
        rule_id=RuleVersion.objects.get().rule_id,
        valid_from=shop.clock(),
        happened_at=shop.clock(),
        actor=ACTOR,
        points=10_000,
        per_amount=Decimal("0.01"),
    )
    shop.buys("99999999999.99")
    assert shop.pending == 99_999_999_999_990_000


def test_the_day_of_a_purchase_is_the_shops_own(shop) -> None:
    """At half past midnight in Berlin it is still yesterday in London."""
    shop.on("2026-06-02 00:30")
    under(shop, pending_days=0, expiry="days", expiry_count=1)
    shop.buys("5.00")
    found = balance_of(shop.member.pk, shop.clock())
    assert found.last_day == date(2026, 6, 3)
    assert found.next_expiry - shop.clock() == timedelta(days=1, hours=23, minutes=30)
