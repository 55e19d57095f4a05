"""What is owed for points, by the month of their issue, and that it is kept as it was."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction
from django.db.models import Sum

from loyalty.models import (
    Bucket,
    LiabilitySnapshot,
    MonthReport,
    PointsEntry,
    PointsTransaction,
    RuleVersion,
)
from loyalty.selectors import liability
from loyalty.selectors.liability import Breakage, CohortState, Developments, cohorts_at
from loyalty.selectors.reports import find_month, list_journal
from loyalty.services import accrue_due, change_terms, release_due
from loyalty.services.expiry import expire_due
from loyalty.services.liability import close_month, report_due
from loyalty.services.redemption_reversal import reverse_redemption
from tests.cast import ACTOR, make_customer, make_order
from tests.loyalty.spending import make_member, make_reward, redeem

pytestmark = pytest.mark.django_db
MARCH, APRIL, MAY = date(2026, 3, 1), date(2026, 4, 1), date(2026, 5, 1)


def instant(month: int, day: int, hour: int = 12) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


@pytest.fixture
def at(clock):
    """Set the clock and let every sweep run: ``at(4, 1)`` is noon of 1 April."""

    def moved(month: int, day: int) -> datetime:
        clock.forward(seconds=(instant(month, day) - clock()).total_seconds())
        accrue_due(clock())
        release_due(clock())
        expire_due(clock())
        return clock()

    return moved


def rows(at: datetime) -> list[tuple[int, ...]]:
    return [
        (one.cohort.month, one.issued, one.redeemed, one.expired, one.reversed, one.outstanding)
        for one in cohorts_at(at)
    ]


def test_a_cohort_is_what_was_booked_in_a_local_month(programme, at, clock) -> None:
    member = make_member(100)
    reward = make_reward(points=30)
    redemption = redeem(member, reward)
    at(4, 10)
    make_member((50, clock() + timedelta(days=365)))
    redeem(member, reward)
    assert rows(instant(4, 1, 0)) == [(3, 100, 30, 0, 0, 70)]
    assert rows(instant(5, 1, 0)) == [(3, 100, 60, 0, 0, 40), (4, 50, 0, 0, 0, 50)]
    reverse_redemption(redemption_id=redemption.pk, happened_at=clock(), actor=ACTOR)
    assert rows(instant(5, 1, 0))[0] == (3, 100, 30, 0, 0, 70)
    assert rows(instant(4, 1, 0)) == [(3, 100, 30, 0, 0, 70)]  # as it was


def test_what_ends_with_a_month_expired_in_it_however_late_that_is_booked(programme, clock) -> None:
    make_member(10, (40, instant(4, 1, 0)))
    clock.forward(days=45)
    expire_due(clock())
    booked = PointsTransaction.objects.get(kind="expire")
    assert (booked.recorded_at.month, booked.effective_at) == (4, instant(4, 1, 0))
    assert rows(instant(4, 1, 0)) == [(3, 50, 0, 40, 0, 10)]


def test_a_debt_counts_where_it_arose_until_later_points_pay_it(programme, at, clock) -> None:
    member = make_customer()
    order = make_order(customer=member, amount=100, ordered_at=clock() - timedelta(days=20))
    at(3, 2)
    redeem(member, make_reward(points=80))
    at(4, 5)
    from crm.services import change_order

    change_order(order_id=order.pk, status="cancelled", happened_at=clock(), actor=ACTOR)
    at(4, 6)
    assert rows(instant(5, 1, 0)) == [(3, 100, 80, 0, 20, 0), (4, 0, 0, 0, 80, -80)]
    make_order(customer=member, amount=200, ordered_at=clock() - timedelta(days=20))
    at(5, 6)
    make_order(customer=member, amount=7, ordered_at=clock() - timedelta(days=20))
    at(5, 7)
    found = {row[0]: row[1:] for row in rows(instant(6, 1, 0))}
    assert found[3] == (100, 80, 0, 20, 0)
    assert sum(row[4] for row in found.values()) == 127
    reversed_in_journal = PointsEntry.objects.filter(bucket=Bucket.REVERSED).aggregate(
        total=Sum("amount")
    )["total"]
    assert sum(row[3] for row in found.values()) == reversed_in_journal == 100


def test_breakage_is_what_cohorts_that_are_over_left_at_the_same_age() -> None:
    over = [CohortState(date(2025, month, 1), 1000, 600, 400) for month in (1, 2, 3)]

    def row(month: int, age: int, redeemed: int, outstanding: int) -> LiabilitySnapshot:
        return LiabilitySnapshot(
            cohort=date(2025, month, 1),
            month=date(2025, month + age, 1),
            redeemed=redeemed,
            outstanding=outstanding,
        )

    earlier = [row(month, 0, 100, 900) for month in (1, 2, 3)]
    earlier += [row(month, 5, 500, 400) for month in (1, 2)]
    seen = Developments(over, earlier)
    # Of 3 × 900 points outstanding at the end of the first month, 3 × 500 were used later.
    assert seen.breakage_at(0) == Breakage(Decimal("0.4444"), is_estimated=True)
    assert seen.breakage_at(5) == Breakage(Decimal(0), is_estimated=False)  # two cohorts only
    assert liability.realised_breakage(over) == Decimal("0.4")
    assert liability.realised_breakage([]) is None


def test_a_month_is_kept_once_and_the_liability_is_reckoned_with_the_cost_then(
    programme, at, clock
) -> None:
    change_terms(
        programme_id=programme.pk,
        valid_from=clock() + timedelta(days=1),
        happened_at=clock(),
        actor=ACTOR,
        point_cost=Decimal("0.008"),
    )
    make_member(1000)
    now = at(4, 1)
    assert report_due(now) == 3  # one cohort, its month, and the current month
    [kept] = LiabilitySnapshot.objects.all()
    assert (kept.month, kept.cohort, kept.outstanding) == (MARCH, MARCH, 1000)
    assert (kept.breakage, kept.is_estimated) == (Decimal(0), False)
    assert (kept.liability, kept.currency) == (Decimal("8.0000"), "USD")
    make_member(5)
    assert report_due(now) == 0
    assert close_month(month=MARCH, happened_at=now) == 0
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        LiabilitySnapshot.objects.update(outstanding=1)
    with pytest.raises(ValueError, match="not over"):
        close_month(month=APRIL, happened_at=now)


def test_months_of_the_past_are_kept_as_they_stood_then(programme, at, clock) -> None:
    member = make_member(100)
    at(4, 10)
    redeem(member, make_reward(points=60))
    now = at(6, 2)
    report_due(now)
    kept = LiabilitySnapshot.objects.order_by("month")
    assert [(row.month, row.redeemed, row.outstanding) for row in kept] == [
        (MARCH, 0, 100),
        (APRIL, 60, 40),
        (MAY, 60, 40),
    ]
    assert list(MonthReport.objects.order_by("month").values_list("is_closed", flat=True)) == [
        True,
        True,
        True,
        False,
    ]


def test_a_month_waits_until_what_expired_in_it_is_booked(programme, clock) -> None:
    make_member((40, instant(4, 1, 0)))
    clock.forward(seconds=(instant(4, 1) - clock()).total_seconds())
    assert report_due(clock()) == 0
    expire_due(clock())
    report_due(clock())
    assert LiabilitySnapshot.objects.get().expired == 40


def test_the_journal_closes_with_what_is_owed(programme, at, clock) -> None:
    member = make_member(100, (30, instant(4, 1, 0)))
    at(4, 10)
    make_order(customer=member, amount=20, ordered_at=clock() - timedelta(days=30))
    at(4, 11)
    redeem(member, make_reward(points=60))
    report_due(at(5, 2))
    lines = [
        (line.month.month, line.opening, line.movement.kind, line.movement.net, line.closing)
        for line in list_journal()
    ]
    assert lines == [
        (3, 0, "expire", -30, 100),
        (3, 0, "opening", 130, 100),
        (4, 100, "earn", 20, 60),
        (4, 100, "redeem", -60, 60),
    ]
    for totals in liability.list_month_totals():
        closing = {line.month: line.closing for line in list_journal()}
        assert totals.outstanding == closing[totals.month]


def test_a_month_says_which_rule_gave_and_which_reward_took(programme, at, clock) -> None:
    member = make_member(100)
    reward = make_reward(points=60)
    make_order(customer=member, amount=20, ordered_at=clock() - timedelta(days=30))
    at(3, 20)
    redeem(member, reward)
    report_due(at(4, 2))
    march = find_month(MARCH)
    assert march is not None
    rule = RuleVersion.objects.get().rule_id
    assert [(one.id, one.points, one.members) for one in march.rules] == [(rule, 20, 1)]
    assert [(one.id, one.points, one.times) for one in march.rewards] == [(reward.pk, 60, 1)]
    assert (march.members, march.active, march.redeemers) == (1, 1, 1)
    assert march.redeemer_rate == 1
