"""Points lapse at the end of a local day, by themselves, whether or not a sweep was there."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.time import local_date, start_of_day
from loyalty.models import Hold, PointsAccount, PointsLot, PointsTransaction, TermsVersion
from loyalty.selectors import balance_of, past_balance_of, verify_ledger
from loyalty.selectors.expiry import add_months, expiring_facts, inactive_from, usable_until
from loyalty.services import accrue_due, release_due
from loyalty.services.expiry import expire_due
from loyalty.services.holds import capture_hold, void_hold
from loyalty.services.opening import OpeningUsed, take_back_openings, used_openings
from loyalty.services.redemption_reversal import reverse_redemption
from tests.cast import ACTOR, make_customer, make_order
from tests.loyalty.spending import account_of, hold, make_member, make_reward, redeem

BERLIN = "Europe/Berlin"


def terms(expiry: str, count: int | None = None, end: str = "day", **more: int) -> TermsVersion:
    return TermsVersion(expiry=expiry, expiry_count=count, expiry_end=end, **more)


def local(text: str, zone: str = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def last_day(conditions: TermsVersion, from_: str) -> str:
    end = usable_until(local(from_), conditions)
    assert end is not None
    assert end.utcoffset() == timedelta(0)
    assert end == start_of_day(local_date(end))  # a day of the organisation's ends there
    return str(local_date(end - timedelta(microseconds=1)))


@pytest.mark.parametrize(
    ("conditions", "usable_from", "day"),
    [
        (terms("days", 1), "2026-03-02 12:00", "2026-03-03"),
        (terms("days", 365), "2026-03-02 00:00", "2027-03-02"),
        (terms("days", 10, "month"), "2026-03-02 12:00", "2026-03-31"),
        (terms("days", 10, "year"), "2026-12-28 12:00", "2027-12-31"),
        (terms("months", 1), "2026-03-02 12:00", "2026-04-02"),
        (terms("months", 1), "2026-01-31 12:00", "2026-02-28"),  # a shorter month
        (terms("months", 1), "2028-01-31 12:00", "2028-02-29"),  # leap year
        (terms("months", 12), "2028-02-29 12:00", "2029-02-28"),  # leap day
        (terms("months", 48), "2028-02-29 12:00", "2032-02-29"),
        (terms("months", 2, "month"), "2026-12-31 23:59", "2027-02-28"),
        (terms("months", 24, "year"), "2026-03-02 12:00", "2028-12-31"),
        (terms("yearly", expiry_month=6, expiry_day=30), "2026-03-02 12:00", "2026-06-30"),
        (terms("yearly", expiry_month=6, expiry_day=30), "2026-06-30 23:59", "2026-06-30"),
        (terms("yearly", expiry_month=6, expiry_day=30), "2026-07-01 00:00", "2027-06-30"),
        (terms("yearly", expiry_month=2, expiry_day=29), "2026-03-02 12:00", "2027-02-28"),
        (terms("yearly", expiry_month=2, expiry_day=29), "2027-03-02 12:00", "2028-02-29"),
        (terms("days", 36_500, "year"), "2199-03-02 12:00", "2200-12-31"),
        (terms("months", 1_200), "2199-03-02 12:00", "2200-12-31"),
    ],
)
def test_the_last_day(settings, conditions, usable_from, day) -> None:
    settings.KEEPWELL_TIMEZONE = BERLIN
    assert last_day(conditions, usable_from) == day


@pytest.mark.parametrize(
    ("zone", "usable_from", "ends"),
    [
        (BERLIN, "2026-03-28 12:00", "2026-03-29T22:00:00+00:00"),  # the clocks go forward
        (BERLIN, "2026-10-24 12:00", "2026-10-25T23:00:00+00:00"),  # and back
        ("America/Havana", "2026-03-06 12:00", "2026-03-08T05:00:00+00:00"),  # midnight is skipped
        ("Pacific/Kiritimati", "2026-03-02 12:00", "2026-03-03T10:00:00+00:00"),
        ("UTC", "2026-03-02 12:00", "2026-03-04T00:00:00+00:00"),
    ],
)
def test_a_day_ends_at_local_midnight_when_clocks_change(settings, zone, usable_from, ends) -> None:
    settings.KEEPWELL_TIMEZONE = zone
    end = usable_until(local(usable_from, zone), terms("days", 1))
    assert end is not None
    assert end.isoformat() == ends


@pytest.mark.parametrize("conditions", [terms("never"), terms("inactivity", 3)])
def test_points_without_a_date_have_none(conditions) -> None:
    assert usable_until(local("2026-03-02 12:00"), conditions) is None


@pytest.mark.parametrize(
    ("conditions", "last", "gone"),
    [
        (terms("inactivity", 6), "2026-08-31 23:59", "2027-03-01"),
        (terms("inactivity", 6, "month"), "2026-03-02 00:00", "2026-10-01"),
        (terms("inactivity", 6, "year"), "2026-03-02 00:00", "2027-01-01"),
    ],
)
def test_idle_points_go_so_many_months_after_the_last_purchase(
    settings, conditions, last, gone
) -> None:
    settings.KEEPWELL_TIMEZONE = BERLIN
    assert inactive_from(local(last), conditions) == start_of_day(date.fromisoformat(gone))
    assert inactive_from(local(last), terms("months", 6)) is None


@given(
    day=st.dates(date(2000, 1, 1), date(2150, 12, 31)),
    count=st.integers(1, 600),
    kind=st.sampled_from(["days", "months"]),
    end=st.sampled_from(["day", "month", "year"]),
)
def test_points_can_always_be_used_for_a_while_and_more_time_is_never_less(
    day, count, kind, end
) -> None:
    usable_from = start_of_day(day)
    until = usable_until(usable_from, terms(kind, count, end))
    longer = usable_until(usable_from, terms(kind, count + 1, end))
    assert until is not None
    assert longer is not None
    assert usable_from + timedelta(days=1) < until <= longer
    assert add_months(day, count) <= add_months(day, count + 1)


# In the ledger


@pytest.fixture
def member(open_with: Any, clock: Any) -> Any:
    """Bought for 100 under terms that give points three days, and one that is usable at once."""
    open_with(pending_days=0, validity_days=3)
    customer = make_customer()
    make_order(customer=customer, amount=100, ordered_at=clock())
    accrue_due(clock())
    return customer


def has(customer: Any, clock: Any) -> tuple[int, int, int]:
    found = balance_of(customer.pk, clock())
    return found.available, found.held, found.debt


@pytest.mark.django_db
def test_a_sweep_books_what_expired_once_with_the_moment_it_did(member, clock) -> None:
    lot = PointsLot.objects.get()
    clock.moment = lot.expires_at - timedelta(seconds=1)
    assert expire_due(clock()) == 0
    assert has(member, clock) == (100, 0, 0)
    clock.moment = lot.expires_at
    assert has(member, clock) == (0, 0, 0)  # without the sweep
    clock.forward(days=5)
    assert expire_due(clock()) == 1
    assert expire_due(clock()) == 0
    expired = PointsTransaction.objects.get(kind="expire")
    assert (expired.points, expired.reason) == (-100, "lapsed")
    assert (expired.effective_at, expired.recorded_at) == (lot.expires_at, clock())
    assert expired.source_key == f"expire:lot:{lot.pk}"
    assert verify_ledger().drifts == []


@pytest.mark.django_db
def test_a_late_sweep_leaves_no_trace_in_who_pays_a_debt(open_with, clock) -> None:
    from crm.services import change_order

    open_with(pending_days=0, validity_days=3)
    member = make_customer()
    make_order(customer=member, amount=100, ordered_at=clock())
    accrue_due(clock())
    clock.forward(days=2)
    second = make_order(customer=member, amount=60, ordered_at=clock())
    accrue_due(clock())
    redeem(member, make_reward("payment", points=1), points=130, amount=Decimal(1000))
    clock.forward(days=3)  # the 30 of the second purchase are still there
    change_order(order_id=second.pk, status="cancelled", happened_at=clock(), actor=ACTOR)
    accrue_due(clock())
    assert has(member, clock) == (0, 0, 30)
    assert verify_ledger().drifts == []


@pytest.mark.django_db
def test_held_points_outlive_their_time_until_the_hold_lets_go(member, clock) -> None:
    clock.forward(days=3, hours=11)
    kept = hold(member, 60, minutes=24 * 60)
    clock.forward(hours=2)  # the day is over
    assert has(member, clock) == (0, 60, 0)
    assert expire_due(clock()) == 1  # the other 40
    assert PointsTransaction.objects.get(kind="expire").points == -40
    captured = capture_hold(hold_id=kept.pk, points=25, happened_at=clock(), actor=ACTOR)
    assert captured.captured == 25
    assert has(member, clock) == (0, 0, 0)
    rest = PointsTransaction.objects.filter(kind="expire").latest("pk")
    assert rest.points == -35
    assert rest.source_key == f"expire:lot:{PointsLot.objects.get().pk}:hold:{kept.pk}"
    assert verify_ledger().drifts == []


@pytest.mark.django_db
def test_a_hold_that_ran_out_over_expired_points_lets_nothing_go(member, clock) -> None:
    clock.forward(days=3, hours=11, minutes=50)
    kept = hold(member, 60, minutes=20)
    clock.forward(hours=1)
    before = balance_of(member.pk, clock())
    assert (before.available, before.held, before.active) == (0, 0, 0)
    expire_due(clock())
    kept.refresh_from_db()
    assert (kept.status, kept.resolved_at) == (Hold.Status.EXPIRED, kept.expires_at)
    assert balance_of(member.pk, clock()) == before
    gone = PointsTransaction.objects.filter(kind="expire").order_by("pk")
    assert list(gone.values_list("points", "effective_at")) == [
        (-40, PointsLot.objects.get().expires_at),
        (-60, kept.expires_at),
    ]
    assert verify_ledger().drifts == []


@pytest.mark.django_db
def test_points_given_back_after_their_time_are_gone_at_once(member, clock) -> None:
    redemption = redeem(member, make_reward(points=70))
    clock.forward(days=10)
    reverse_redemption(redemption_id=redemption.pk, happened_at=clock(), actor=ACTOR)
    assert has(member, clock) == (0, 0, 0)
    assert verify_ledger().drifts == []


# By inactivity


@pytest.fixture
def idle_terms(open_with: Any) -> None:
    """Points lapse after two months without a purchase or a reward."""
    programme = open_with(pending_days=0)
    first = programme.terms_versions.get()
    first.pk, first.number = None, 2
    first.valid_from = first.valid_from - timedelta(days=1)
    TermsVersion.objects.bulk_create([first])
    newer = TermsVersion.objects.get(number=2)
    newer.pk, newer.number, newer.expiry, newer.expiry_count = None, 3, "inactivity", 2
    newer.valid_from = newer.valid_from + timedelta(days=2)
    newer.save(force_insert=True)


@pytest.fixture
def buyer(idle_terms: None, clock: Any) -> Any:
    customer = make_customer()
    make_order(customer=customer, amount=100, ordered_at=clock())
    accrue_due(clock())
    return customer


@pytest.mark.django_db
def test_a_purchase_or_a_reward_keeps_idle_points_alive(buyer, clock) -> None:
    assert account_of(buyer).lapses_at == start_of_day(date(2026, 5, 3))  # bought on 2 March
    clock.moment = datetime(2026, 4, 20, 12, tzinfo=UTC)
    make_order(customer=buyer, amount=1, ordered_at=clock())
    accrue_due(clock())
    assert account_of(buyer).lapses_at == start_of_day(date(2026, 6, 21))
    clock.moment = datetime(2026, 6, 20, 23, 59, tzinfo=UTC)
    redeem(buyer, make_reward(points=10))
    assert account_of(buyer).lapses_at == start_of_day(date(2026, 8, 21))
    assert has(buyer, clock) == (91, 0, 0)


@pytest.mark.django_db
@pytest.mark.parametrize("points", [10, 4])
def test_points_used_of_a_hold_keep_idle_ones_alive(buyer, clock, points) -> None:
    kept = hold(buyer, 10, minutes=600)
    set_aside = account_of(buyer).lapses_at
    clock.moment = set_aside - timedelta(minutes=5)
    Hold.objects.update(expires_at=set_aside)
    capture_hold(hold_id=kept.pk, points=points, happened_at=clock(), actor=ACTOR)
    lapses_at = account_of(buyer).lapses_at
    assert lapses_at == start_of_day(date(2026, 7, 3)) > set_aside  # two months after 2 May
    clock.moment = lapses_at - timedelta(seconds=1)
    expire_due(clock())
    assert has(buyer, clock) == (100 - points, 0, 0)


@pytest.mark.django_db
def test_idle_points_lapse_all_at_once_and_are_never_revived(buyer, clock) -> None:
    at = account_of(buyer).lapses_at
    clock.moment = at - timedelta(seconds=1)
    assert has(buyer, clock) == (100, 0, 0)
    known = past_balance_of(buyer.pk, clock())
    clock.moment = at
    assert has(buyer, clock) == (0, 0, 0)  # without the sweep
    late = clock.forward(days=3)
    without_sweep = past_balance_of(buyer.pk, late)
    clock.forward(days=1)
    make_order(customer=buyer, amount=7, ordered_at=clock())
    accrue_due(clock())
    assert has(buyer, clock) == (7, 0, 0)
    lapsed = PointsTransaction.objects.get(kind="expire")
    assert (lapsed.points, lapsed.reason, lapsed.effective_at) == (-100, "inactive", at)
    assert past_balance_of(buyer.pk, at - timedelta(seconds=1)) == known
    assert past_balance_of(buyer.pk, late) == without_sweep
    assert without_sweep.available == 0
    assert verify_ledger().drifts == []


@pytest.mark.django_db
def test_a_sweep_books_idle_points_and_forgets_the_date(buyer, clock) -> None:
    clock.moment = account_of(buyer).lapses_at
    assert expire_due(clock()) == 1
    assert expire_due(clock()) == 0
    assert account_of(buyer).lapses_at is None
    assert verify_ledger().drifts == []


@pytest.mark.django_db
def test_idle_points_that_a_hold_sets_aside_lapse_when_it_lets_go(buyer, clock) -> None:
    at = account_of(buyer).lapses_at
    clock.moment = at - timedelta(minutes=5)
    kept = hold(buyer, 100, minutes=600)
    PointsAccount.objects.update(lapses_at=at)  # as if holding were no sign of life
    clock.moment = at + timedelta(minutes=5)
    assert has(buyer, clock) == (0, 100, 0)
    expire_due(clock())
    make_order(customer=buyer, amount=7, ordered_at=clock())
    accrue_due(clock())
    void_hold(hold_id=kept.pk, happened_at=clock(), actor=ACTOR)
    assert has(buyer, clock) == (7, 0, 0)
    assert verify_ledger().drifts == []


@pytest.mark.django_db
def test_points_brought_along_for_ever_stay_whatever_the_terms(idle_terms, clock) -> None:
    member = make_member(50)
    clock.forward(days=400)
    expire_due(clock())
    assert has(member, clock) == (50, 0, 0)


@pytest.mark.django_db
@pytest.mark.parametrize("days", [0, 20])
def test_points_brought_along_that_lapsed_or_are_set_aside_cannot_be_taken_back(
    programme, clock, days
) -> None:
    member = make_member((50, start_of_day(date(2026, 3, 10))))
    if not days:
        hold(member, 10)
    clock.forward(days=days)
    opening = PointsTransaction.objects.get(kind="opening")
    before = has(member, clock)
    assert used_openings([opening.pk]) == {opening.pk}
    with pytest.raises(OpeningUsed):
        take_back_openings(transaction_ids=[opening.pk], happened_at=clock(), actor=ACTOR)
    assert has(member, clock) == before
    assert verify_ledger().drifts == []


# What to tell members of


@pytest.mark.django_db
def test_what_lapses_soon_is_told_by_member_and_day_without_what_is_held(programme, clock) -> None:
    soon, later = start_of_day(date(2026, 3, 10)), start_of_day(date(2026, 4, 1))
    one = make_member((30, soon), (5, soon), (8, later), 1000)
    other = make_member((20, soon))
    hold(one, 10)
    told = [
        (fact.customer_id, fact.points, fact.last_day, fact.idle)
        for fact in expiring_facts(clock(), timedelta(days=7))
    ]
    assert told == []
    told = [
        (fact.customer_id, fact.points, fact.last_day, fact.idle)
        for fact in expiring_facts(clock(), timedelta(days=30))
    ]
    assert told == [
        (one.pk, 25, date(2026, 3, 9), False),
        (other.pk, 20, date(2026, 3, 9), False),
        (one.pk, 8, date(2026, 3, 31), False),
    ]


@pytest.mark.django_db
def test_who_has_been_idle_is_told_too(buyer, clock) -> None:
    clock.moment = datetime(2026, 4, 27, 12, tzinfo=UTC)
    [fact] = expiring_facts(clock(), timedelta(days=7))
    assert (fact.customer_id, fact.points, fact.last_day, fact.idle) == (
        buyer.pk,
        100,
        date(2026, 5, 2),
        True,
    )
    found = balance_of(buyer.pk, clock())
    assert (found.last_day, found.next_expiry_points) == (date(2026, 5, 2), 100)


@pytest.mark.django_db
def test_what_expires_is_found_in_one_read_however_many_lots_there_were(
    open_with, clock, django_assert_num_queries
) -> None:
    open_with(pending_days=0, validity_days=3)
    members = [make_customer() for _ in range(6)]
    for number in range(24):
        make_order(customer=members[number % 6], amount=10, ordered_at=clock())
    accrue_due(clock())
    clock.forward(days=10)
    assert expire_due(clock()) == 24
    assert release_due(clock()) == 0
    assert not PointsLot.objects.filter(remaining__gt=0).exists()
    with django_assert_num_queries(2):
        assert expire_due(clock()) == 0
