"""Two writers at once with the same key: one wins, the other is refused, nobody crashes."""

from contextlib import closing
from threading import Barrier, Thread

import pytest
from django.db import connection

from common.errors import Conflict
from common.time import now
from crm.models import Customer, Location, Order, Product
from crm.services import record_customer, record_location, record_order, record_product

WRITES = {
    "customer": (Customer, lambda m: record_customer(external_id="X", happened_at=m, actor="a")),
    "product": (Product, lambda m: record_product(sku="X", happened_at=m, actor="a")),
    "location": (Location, lambda m: record_location(code="X", name="", happened_at=m, actor="a")),
    "order": (
        Order,
        lambda m: record_order(
            external_id="X", customer_id=None, amount=1, ordered_at=m, happened_at=m, actor="a"
        ),
    ),
}


pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor != 'postgresql'", reason="needs PostgreSQL"),
]


@pytest.mark.parametrize("name", WRITES)
def test_one_of_two_at_once_wins_and_the_other_is_refused(name):
    model, write = WRITES[name]
    barrier, outcomes = Barrier(4), []

    def attempt():
        with closing(connection):
            barrier.wait()
            try:
                write(now())
                outcomes.append("written")
            except Conflict:
                outcomes.append("refused")

    threads = [Thread(target=attempt) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused", "refused", "refused", "written"]
    assert model.objects.count() == 1
