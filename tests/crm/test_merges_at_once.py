"""Records of one person merged while their purchases are entered and corrected, on PostgreSQL."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.db import connection, connections, transaction

from common.time import now
from crm.models import Customer, CustomerFigures, Order
from crm.services import change_order
from crm.services.customer_figures import rebuild_figures
from crm.services.merges import merge_customers, undo_merge
from tests.cast import ACTOR, make_customer, make_order

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor != 'postgresql'", reason="needs PostgreSQL"),
]
Action = Callable[[], object]


def wait_for_a_lock() -> None:
    """Until another session of this database waits for a lock, five seconds at most."""
    asked = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    for _try in range(100):
        with connection.cursor() as cursor:
            cursor.execute(asked)
            if cursor.fetchone() != (0,):
                return
        time.sleep(0.05)


def one_waits_for_the_other(first: Action, second: Action) -> list[object]:
    """Begin the second while the first isn't committed; what each returned or raised."""
    answers: list[object] = [None, None]
    written = threading.Event()

    def hold() -> None:
        with transaction.atomic():
            answers[0] = first()
            written.set()
            wait_for_a_lock()

    def follow() -> None:
        written.wait(10)
        answers[1] = second()

    def run(place: int, action: Action) -> None:
        try:
            action()
        except Exception as error:  # noqa: BLE001 - told to the test
            answers[place] = error
        finally:
            written.set()
            connections.close_all()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate((hold, follow))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def totals() -> list[tuple[int, int, Decimal]]:
    rows = CustomerFigures.objects.order_by("customer_id")
    return list(rows.values_list("customer_id", "orders", "revenue"))


@pytest.fixture
def anna() -> Customer:
    return make_customer()


@pytest.fixture
def ann() -> Customer:
    return make_customer()


@pytest.fixture
def order(ann: Customer) -> Order:
    return make_order(customer=ann, amount=100, ordered_at=now())


@pytest.fixture
def merge(anna: Customer, ann: Customer) -> Action:
    people = {"person_id": anna.pk, "record_id": ann.pk, "source": "staff"}
    return lambda: merge_customers(**people, happened_at=now(), actor=ACTOR)


@pytest.fixture
def correct(order: Order) -> Action:
    return lambda: change_order(
        order_id=order.pk, amount=Decimal(70), happened_at=now(), actor=ACTOR
    )


@pytest.fixture
def buy(ann: Customer) -> Action:
    return lambda: make_order(customer=ann, amount=30, ordered_at=now())


@pytest.mark.parametrize("is_merged_first", [False, True])
@pytest.mark.parametrize(("what", "orders", "revenue"), [("correct", 1, 70), ("buy", 2, 130)])
def test_purchases_and_a_merge_wait_for_each_other_and_all_is_counted(
    request, merge, order, anna, ann, what, orders, revenue, is_merged_first
) -> None:
    write = request.getfixturevalue(what)
    answers = one_waits_for_the_other(*((merge, write) if is_merged_first else (write, merge)))
    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    counted = [(anna.pk, orders, Decimal(revenue)), (ann.pk, orders, Decimal(revenue))]
    assert totals() == sorted(counted)
    rebuild_figures()
    assert totals() == sorted(counted)


def test_a_correction_and_an_undone_merge_wait_for_each_other(merge, correct, anna, ann) -> None:
    made = merge()
    answers = one_waits_for_the_other(
        correct, lambda: undo_merge(merge_ref=made.ref, happened_at=now(), actor=ACTOR)
    )
    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    assert totals() == sorted([(anna.pk, 0, Decimal(0)), (ann.pk, 1, Decimal(70))])
