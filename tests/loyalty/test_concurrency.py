"""Several workers at once on PostgreSQL: each order earns once, each lot is released once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection, connections

from common.time import now
from crm.models import IdentityLink, Merge
from crm.services.merges import MergedAlready, merge_customers
from loyalty.models import Membership, PointsAccount, PointsTransaction
from loyalty.selectors import balance_of, verify_ledger
from loyalty.services import accrue_due, award_points, open_programme, release_due
from tests.cast import ACTOR, make_customer, make_order

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor != 'postgresql'", reason="needs PostgreSQL"),
]
WORKERS = 4


def at_once(*actions: Callable[[], object]) -> list[object]:
    """Run the actions in threads that start together; what each returned or raised."""
    gate = threading.Barrier(len(actions))
    answers: list[object] = [None] * len(actions)

    def run(place: int, action: Callable[[], object]) -> None:
        try:
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


@pytest.fixture
def orders(db):
    """Sixty orders of ten customers, none of whom is a member yet."""
    started = now() - timedelta(days=30)
    open_programme(name="Sunny", starts_at=started, happened_at=now(), actor=ACTOR, pending_days=1)
    customers = [make_customer() for _ in range(10)]
    return [
        make_order(
            customer=customers[number % 10],
            amount=number + 1,
            ordered_at=started + timedelta(days=number % 25),
        )
        for number in range(60)
    ]


def test_sweeps_at_once_award_each_order_once(orders, monkeypatch) -> None:
    from loyalty.services import sweeps

    monkeypatch.setattr(sweeps, "BATCH", 7)
    answers = at_once(*[lambda: accrue_due(now(), everything=True)] * WORKERS)
    assert sum(answers) == 60
    assert PointsTransaction.objects.filter(kind="earn").count() == 60
    assert Membership.objects.count() == PointsAccount.objects.count() == 10
    assert verify_ledger().drifts == []


def test_one_order_awarded_by_many_at_once_is_one_transaction(orders) -> None:
    def award() -> PointsTransaction:
        return award_points(order_id=orders[0].pk, happened_at=now(), actor=ACTOR)

    answers = at_once(*[award] * 8)
    assert set(answers) == {PointsTransaction.objects.get()}
    assert verify_ledger().drifts == []


def test_sweeps_at_once_release_each_lot_once(orders, monkeypatch) -> None:
    from loyalty.services import sweeps

    later = now() + timedelta(days=40)
    for order in orders:
        type(order).objects.filter(pk=order.pk).update(delivered_at=now())
    accrue_due(now())
    monkeypatch.setattr(sweeps, "BATCH", 7)
    answers = at_once(*[lambda: release_due(later)] * WORKERS)
    assert sum(answers) == 60
    assert PointsTransaction.objects.filter(kind="release").count() == 60
    assert verify_ledger().drifts == []


def test_the_account_is_locked_while_points_are_written(orders) -> None:
    from django.db import transaction
    from django.test.utils import CaptureQueriesContext

    from loyalty.services.ledger import lock_accounts

    accrue_due(now())
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        lock_accounts(list(PointsAccount.objects.values_list("pk", flat=True)))
    assert any("FOR UPDATE" in q["sql"] and "ORDER BY" in q["sql"] for q in queries)


def test_two_records_merged_by_many_at_once_are_merged_once(orders) -> None:
    accrue_due(now(), everything=True)
    one, other = orders[0].customer, orders[1].customer

    def merge(person, record):
        return merge_customers(
            person_id=person.pk,
            record_id=record.pk,
            source="staff",
            happened_at=now(),
            actor=ACTOR,
        )

    pairs = [(one, other), (other, one)] * 2
    answers = at_once(*[partial(merge, *pair) for pair in pairs])
    assert sum(isinstance(answer, Merge) for answer in answers) == 1
    assert sum(isinstance(answer, MergedAlready) for answer in answers) == WORKERS - 1
    assert Merge.objects.count() == IdentityLink.objects.count() == 1
    assert verify_ledger().drifts == []


def test_points_earned_while_records_are_merged_go_to_the_person(orders) -> None:
    one, other = orders[0].customer, orders[1].customer
    at_once(
        lambda: accrue_due(now(), everything=True),
        lambda: merge_customers(
            person_id=one.pk, record_id=other.pk, source="staff", happened_at=now(), actor=ACTOR
        ),
        lambda: accrue_due(now(), everything=True),
    )
    accrue_due(now(), everything=True)
    release_due(now())
    assert verify_ledger().drifts == []
    earned = sum(order.amount for order in orders if order.customer in (one, other))
    assert balance_of(one.pk, now()).outstanding == earned
