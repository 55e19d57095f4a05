"""Many tills at once, on PostgreSQL and on an SQLite file: what can happen once happens once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial

import pytest
from django.db import connection, connections, transaction

from common.time import now
from crm.services.merges import merge_customers
from loyalty.models import (
    Hold,
    PointsAccount,
    PointsLot,
    PointsTransaction,
    Redemption,
    Reward,
)
from loyalty.selectors import balance_of, verify_ledger
from loyalty.services import SourceKeyReused, open_programme
from loyalty.services.catch_up import catch_up
from loyalty.services.consumption import TooFewPoints
from loyalty.services.holds import (
    HoldResolved,
    HoldTimedOut,
    capture_hold,
    time_out_due,
    void_hold,
)
from loyalty.services.ledger import lock_accounts
from loyalty.services.redemption_reversal import reverse_redemption
from loyalty.services.reversal import PointsMoved
from loyalty.services.spending import RewardUnavailable
from loyalty.services.vouchers import VoucherRefused, lapse_due, use_voucher
from tests.cast import ACTOR
from tests.loyalty.spending import account_of, hold, make_member, make_reward, redeem

pytestmark = [pytest.mark.system, pytest.mark.django_db(transaction=True)]
TILLS = 50
GRACE = timedelta(seconds=0.4)  # until the instant at which everything happens


@pytest.fixture(autouse=True)
def _many_connections(db: None, tmp_path) -> Iterator[None]:
    """As many connections as tills; on SQLite, to a file, as an installation has it."""
    settings = connection.settings_dict
    if connection.vendor == "postgresql":
        pool = settings["OPTIONS"].get("pool")
        connection.close()
        if pool:
            connection.close_pool()
            settings["OPTIONS"]["pool"] = pool | {"max_size": TILLS + 5}
        yield
        connection.close()
        if pool:
            connection.close_pool()
            settings["OPTIONS"]["pool"] = pool
        return
    import sqlite3

    connection.ensure_connection()
    in_memory, name = connection.connection, settings["NAME"]
    path = tmp_path / "keepwell.sqlite3"
    copy = sqlite3.connect(path)
    in_memory.backup(copy)
    copy.close()
    connection.connection, settings["NAME"] = None, str(path)
    yield
    connection.close()
    connection.connection, settings["NAME"] = in_memory, name


@pytest.fixture(autouse=True)
def _programme(_many_connections: None) -> None:
    moment = now()
    open_programme(
        name="Sunny", starts_at=moment - timedelta(days=9), happened_at=moment, actor=ACTOR
    )


def at_once(*actions: Callable[[], object]) -> list[object]:
    """Run the actions in threads that start together; what each returned or raised."""
    gate = threading.Barrier(len(actions))
    answers: list[object] = [None] * len(actions)

    def run(place: int, action: Callable[[], object]) -> None:
        try:
            connection.ensure_connection()
            gate.wait()
            answers[place] = action()
        except Exception as error:  # noqa: BLE001 - told to the test
            answers[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(actions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def kinds(answers: list[object]) -> Counter[str]:
    return Counter(type(answer).__name__ for answer in answers)


def wait_until(moment: datetime) -> None:
    while (left := (moment - now()).total_seconds()) > 0:
        time.sleep(left if left > 0.002 else 0)


@transaction.atomic
def let_time_pass() -> int:
    """Book what time did to every account."""
    accounts = lock_accounts(list(PointsAccount.objects.values_list("pk", flat=True)))
    return catch_up(accounts, now())


@pytest.mark.slow
def test_of_fifty_redemptions_of_one_balance_one_wins() -> None:
    member, reward = make_member(30, 100, 19), make_reward(points=149)
    answers = at_once(*[partial(redeem, member, reward, key=f"till:{n}") for n in range(TILLS)])
    assert kinds(answers) == {"Redemption": 1, "TooFewPoints": TILLS - 1}
    assert {
        answer.context["available"] for answer in answers if isinstance(answer, TooFewPoints)
    } == {0}
    assert balance_of(member.pk, now()).available == 0
    assert Redemption.objects.count() == 1
    assert verify_ledger().drifts == []


def test_of_twenty_holds_of_one_balance_one_wins() -> None:
    member = make_member(100)
    answers = at_once(*[partial(hold, member, 60, key=f"till:{n}") for n in range(20)])
    assert kinds(answers) == {"Hold": 1, "TooFewPoints": 19}
    assert balance_of(member.pk, now()).available == 40
    assert account_of(member).held == 60


def test_one_key_sent_by_many_tills_is_one_redemption() -> None:
    member, reward = make_member(1000), make_reward(points=100, stock=10)
    answers = at_once(*[partial(redeem, member, reward, key="once")] * 20)
    assert set(answers) == {Redemption.objects.get()}
    assert balance_of(member.pk, now()).available == 900
    assert Reward.objects.get().stock == 9


def test_one_key_sent_for_many_members_is_one_redemption() -> None:
    reward = make_reward(points=100)
    members = [make_member(100) for _ in range(8)]
    answers = at_once(*[partial(redeem, member, reward, key="once") for member in members])
    assert kinds(answers) == {"Redemption": 1, "SourceKeyReused": 7}
    holds = at_once(*[partial(hold, member, 1, key="once") for member in members])
    spent = {type(answer) for answer in holds} - {Hold, SourceKeyReused, TooFewPoints}
    assert not spent
    assert Hold.objects.count() == 1
    assert verify_ledger().drifts == []


def test_the_last_piece_of_stock_goes_to_one_member() -> None:
    reward = make_reward(points=10, stock=1)
    members = [make_member(10) for _ in range(20)]
    answers = at_once(*[partial(redeem, member, reward) for member in members])
    assert kinds(answers) == {"Redemption": 1, "RewardUnavailable": 19}
    assert {answer.code for answer in answers if isinstance(answer, RewardUnavailable)} == {
        "sold_out"
    }
    assert Reward.objects.get().stock == 0
    assert sum(balance_of(member.pk, now()).available for member in members) == 190
    assert verify_ledger().drifts == []


def test_one_voucher_is_used_once() -> None:
    redemption = redeem(make_member(100), make_reward())
    use = partial(use_voucher, code=redemption.code, happened_at=now(), actor=ACTOR)
    answers = at_once(*[use] * 20)
    assert kinds(answers) == {"Redemption": 1, "VoucherRefused": 19}
    assert {answer.code for answer in answers if isinstance(answer, VoucherRefused)} == {
        "voucher_used"
    }


def test_an_exchange_taken_back_by_many_while_its_voucher_is_used_comes_back_once() -> None:
    member = make_member(100)
    redemption = redeem(member, make_reward(stock=1))
    use = partial(use_voucher, code=redemption.code, happened_at=now(), actor=ACTOR)
    back = partial(reverse_redemption, redemption_id=redemption.pk, happened_at=now(), actor=ACTOR)
    late = partial(lapse_due, now() + timedelta(days=99))
    answers = at_once(*[use] * 6, *[back] * 10, *[late] * 4)
    used = [answer for answer in answers[:6] if isinstance(answer, Redemption)]
    assert len(used) <= 1
    assert all(isinstance(one, Redemption | VoucherRefused) for one in answers[:6])
    assert answers[6:16] == [redemption] * 10
    redemption.refresh_from_db()
    assert redemption.status == "reversed"
    assert PointsTransaction.objects.filter(kind="restore").count() == 1
    assert (balance_of(member.pk, now()).available, Reward.objects.get().stock) == (100, 1)
    assert verify_ledger().drifts == []


def test_a_hold_captured_voided_timed_out_and_expiring_at_one_instant_ends_once() -> None:
    instant = now() + timedelta(seconds=3)
    members = [make_member((100, instant)) for _ in range(6)]
    holds = [hold(member, 60) for member in members]
    instant = now() + GRACE
    PointsLot.objects.update(expires_at=instant)
    Hold.objects.update(expires_at=instant)

    def when_due(action: Callable[[], object], early: float) -> object:
        wait_until(instant - timedelta(milliseconds=early))
        return action()

    ask = {"happened_at": now(), "actor": ACTOR}
    actions: list[Callable[[], object]] = []
    for held in holds:
        for early in (25, 5, 0):
            capture = partial(capture_hold, hold_id=held.pk, points=50, **ask)
            void = partial(void_hold, hold_id=held.pk, **ask)
            actions += [partial(when_due, one, early) for one in (capture, void)]
    for early in (5, 0, -5):
        actions.append(partial(when_due, lambda: time_out_due(now()), early))
        actions.append(partial(when_due, let_time_pass, early))
    answers = at_once(*actions)
    allowed = (Hold, HoldResolved, HoldTimedOut, int)
    assert [answer for answer in answers if not isinstance(answer, allowed)] == []
    wait_until(instant)
    time_out_due(now())
    let_time_pass()
    for member, held in zip(members, holds, strict=True):
        held.refresh_from_db()
        assert held.status in ("captured", "voided", "expired")
        mine = PointsTransaction.objects.filter(account=account_of(member))
        redeemed = -sum(mine.filter(kind="redeem").values_list("points", flat=True))
        expired = -sum(mine.filter(kind="expire").values_list("points", flat=True))
        assert redeemed == (50 if held.status == "captured" else 0)
        assert redeemed + expired == 100
        account = account_of(member)
        assert (account.active, account.held, account.debt) == (0, 0, 0)
    assert verify_ledger().drifts == []


def test_redemptions_holds_and_reversals_at_once_lose_no_point() -> None:
    member = make_member(*[(50, now() + timedelta(days=day)) for day in range(2, 12)])
    reward = make_reward(points=30, stock=100)

    def there_and_back(number: int) -> None:
        redemption = redeem(member, reward, key=f"back:{number}")
        reverse_redemption(redemption_id=redemption.pk, happened_at=now(), actor=ACTOR)

    def set_aside(number: int) -> None:
        held = hold(member, 20, key=f"hold:{number}")
        ask = {"hold_id": held.pk, "happened_at": now(), "actor": ACTOR}
        if number % 2:
            void_hold(**ask)
        else:
            capture_hold(points=15, **ask)

    answers = at_once(
        *[partial(there_and_back, number) for number in range(6)],
        *[partial(set_aside, number) for number in range(8)],
        *[partial(redeem, member, reward, key=f"kept:{number}") for number in range(4)],
    )
    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    assert balance_of(member.pk, now()).available == 500 - 4 * 15 - 4 * 30
    assert Reward.objects.get().stock == 96
    assert account_of(member).held == 0
    assert verify_ledger().drifts == []


def test_points_used_while_cards_are_merged_are_used_once() -> None:
    one, other = make_member(60), make_member(60)
    reward = make_reward(points=50)
    merge = partial(
        merge_customers,
        person_id=one.pk,
        record_id=other.pk,
        source="staff",
        happened_at=now(),
        actor=ACTOR,
    )
    tries = [
        partial(redeem, member, reward, key=f"{member.pk}:{number}")
        for number in range(5)
        for member in (one, other)
    ]
    answers = at_once(*tries[:5], merge, *tries[5:])
    refusals = (TooFewPoints, PointsMoved)
    exchanged = sum(isinstance(answer, Redemption) for answer in answers)
    assert [
        answer
        for answer in answers
        if isinstance(answer, Exception) and not isinstance(answer, refusals)
    ] == []
    assert exchanged <= 2
    assert balance_of(one.pk, now()).available == 120 - 50 * exchanged
    assert verify_ledger().drifts == []
