"""Queries made once: the ORM's answers, whatever is told."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, models
from django.test.utils import CaptureQueriesContext

from common.models import Event
from common.statements import FixedQuery, Told
from common.time import now
from crm.models import Order
from tests.cast import make_customer, make_order

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.mark.parametrize("subject_ref", ["plain", 'quote"d', "back\\slash", "{a,b}", "NULL", ""])
def test_one_of_several_texts_is_found_whatever_stands_in_it(subject_ref: str) -> None:
    kept = {"actor": "system", "occurred_at": now(), "recorded_at": now()}
    Event.objects.create(kind="test", subject_kind="test", subject_ref=subject_ref, **kept)
    found = Event.objects.filter(kind="test")
    assert found.filter(subject_ref__among=[subject_ref, "other"]).count() == 1
    assert found.filter(subject_ref__among=["other", "others"]).count() == 0
    assert found.filter(subject_ref__among=[]).count() == 0


def test_thousands_of_ids_are_one_parameter() -> None:
    order = make_order()
    with CaptureQueriesContext(connection) as asked:
        found = list(Order.objects.filter(pk__among=range(1, order.pk + 5_000)))
    assert order in found
    assert len(asked) == 1


def test_a_fixed_query_answers_what_is_told_each_time() -> None:
    customer = make_customer()
    early = make_order(customer=customer, amount="12.34", ordered_at=now() - timedelta(days=2))
    late = make_order(customer=customer, amount="0.05", ordered_at=now() - timedelta(days=1))

    def asked() -> models.QuerySet[Order]:
        since = Told("since", models.DateTimeField())
        orders = Order.objects.filter(pk__among=Told("ids"), ordered_at__gte=since)
        return orders.order_by("pk")

    rows = FixedQuery(lambda: asked().values_list("pk", "amount", "ordered_at"))
    ids = [early.pk, late.pk]
    both = [
        (early.pk, Decimal("12.34"), early.ordered_at),
        (late.pk, Decimal("0.05"), late.ordered_at),
    ]
    assert rows.rows(ids=ids, since=early.ordered_at) == both
    assert rows.rows(ids=set(ids), since=late.ordered_at) == both[1:]
    assert rows.rows(ids=[], since=early.ordered_at) == []
    things = FixedQuery(asked).things(ids=ids, since=early.ordered_at)
    assert things == [early, late]
    assert things[0].amount == Decimal("12.34")
