"""Out of which lots points are taken: no database, just the arithmetic."""

from __future__ import annotations

from datetime import timedelta

from loyalty.models import PointsLot
from loyalty.services.consumption import capture, set_aside, take
from loyalty.services.ledger import Draft, LockedAccount
from loyalty.services.taking_back import take_back
from tests.cast import ACTOR, NOON


def draft(*, debt: int = 0, lapses_at=None) -> Draft:
    account = LockedAccount(1, 1, "open", 0, 100, 0, debt, lapses_at)
    return Draft(account, "redeem", "reward", 0, "key", "", ACTOR, NOON)


def lot(pk: int, points: int, *, bucket: str = "active", held: int = 0) -> PointsLot:
    return PointsLot(pk=pk, original=points, remaining=points, bucket=bucket, held=held)


def taken(one: Draft) -> list[tuple[str, int, int | None]]:
    return [(bucket, amount, lot and lot.pk) for bucket, amount, lot in one.entries]


def test_points_are_taken_in_the_order_of_lots_down_to_the_last_and_held_ones_stay() -> None:
    lots = [lot(1, 1), lot(2, 5, held=5), lot(3, 4, held=1), lot(4, 9)]
    used = draft()
    assert take(used, lots, 5) == 0
    assert taken(used) == [("active", -1, 1), ("active", -3, 3), ("active", -1, 4)]
    assert take(draft(), [lot(1, 2)], 5) == 3


def test_one_point_can_be_set_aside_and_captured_and_nothing_is_left_to_let_go() -> None:
    one, used = lot(1, 1), draft()
    kept = set_aside(used.account, [one, lot(2, 5)], 1)
    assert [(of.pk, points) for of, points in kept] == [(1, 1)]
    assert (one.held, used.account.held) == (1, 1)
    assert capture(used, kept, 1) == []
    assert (one.held, one.remaining, used.account.held) == (0, 0, 0)


def test_what_is_taken_back_comes_from_pending_lots_first_then_the_oldest_then_others() -> None:
    own = [lot(3, 2), lot(2, 2), lot(5, 2, bucket="pending"), lot(4, 2, bucket="pending")]
    back = draft()
    take_back(back, own, lambda: [lot(1, 1)], 10)
    assert taken(back)[:5] == [
        ("pending", -2, 4),
        ("pending", -2, 5),
        ("active", -2, 2),
        ("active", -2, 3),
        ("active", -1, 1),
    ]
    assert back.account.debt == 1


def test_debt_takes_what_no_hold_keeps_down_to_the_last_point() -> None:
    one, owing = lot(1, 3, held=2), draft(debt=5)
    for _again in range(2):
        owing.settle_debt(one)
        assert taken(owing) == [("active", -1, 1), ("debt", 1, None)]
        assert (one.remaining, owing.account.active, owing.account.debt) == (2, 99, 4)


def test_idle_points_lapse_later_after_something_happened_and_never_earlier() -> None:
    account = draft(lapses_at=NOON).account
    account.extend(NOON - timedelta(days=1))
    assert (account.lapses_at, account.is_extended) == (NOON, False)
    account.extend(NOON + timedelta(days=1))
    assert (account.lapses_at, account.is_extended) == (NOON + timedelta(days=1), True)
    account = draft(lapses_at=NOON).account
    account.extend(None)
    assert (account.lapses_at, account.is_extended) == (None, True)
