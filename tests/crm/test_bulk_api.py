"""``POST /api/v1/…/bulk/``: each row is created, changed, left or refused by itself."""

from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from common.models import Event
from crm.imports.bulk import insert_rows
from crm.models import (
    Customer,
    ImportBatch,
    Interaction,
    Order,
    OrderLine,
    Product,
    Refund,
    Tag,
    Task,
)
from tests.cast import NOON, make_customer, make_order, make_product

pytestmark = pytest.mark.django_db


def sent(client, noun, rows, **headers):
    return client.post(f"/api/v1/{noun}/bulk/", {"rows": rows}, format="json", headers=headers)


def outcomes(answer):
    return [row["outcome"] for row in answer.json()["rows"]]


def test_each_row_says_what_became_of_it(api_client):
    client = api_client("staff")
    make_customer(external_id="C-1", name="Old", email="old@example.com")
    make_customer(external_id="C-2", name="Same", email="same@example.com")
    answer = sent(
        client,
        "customers",
        [
            {"external_id": "C-1", "name": "New"},
            {"external_id": "C-2", "name": "Same"},
            {"external_id": "C-3", "name": "Anna", "email": "Anna@Example.com", "tags": ["vip"]},
            {"external_id": "C-4", "email": "no address", "birth_date": "1990-02-31"},
            {"name": "Nobody knows the number"},
            {"external_id": "C-5", "nickname": "An"},
            "C-6",
        ],
    )
    assert answer.status_code == 200
    told = answer.json()
    assert outcomes(answer) == [
        "updated", "unchanged", "created", "rejected", "rejected", "rejected", "rejected",
    ]  # fmt: skip
    counts = {name: told[name] for name in ("created", "updated", "unchanged", "rejected")}
    assert counts == {"created": 1, "updated": 1, "unchanged": 1, "rejected": 4}
    assert [sorted(row["errors"]) for row in told["rows"][3:]] == [
        ["birth_date", "email"], ["external_id"], ["nickname"], [""],
    ]  # fmt: skip
    new = Customer.objects.get(external_id="C-3")
    assert (told["rows"][2]["key"], told["rows"][2]["ref"]) == ("C-3", new.ref)
    assert (new.name, new.tags.get().tag.name) == ("Anna", "vip")
    assert new.contact_points.get().normalized == "anna@example.com"
    assert Customer.objects.get(external_id="C-1").name == "New"
    assert not Customer.objects.filter(external_id__in=["C-4", "C-5"]).exists()


def test_purchases_come_with_lines_or_an_amount_and_count_as_live(api_client):
    make_customer(external_id="C-1")
    make_product(sku="tea")
    rows = [
        {
            "external_id": "O-1",
            "customer_id": "C-1",
            "ordered_at": "2026-03-02T12:00:00Z",
            "lines": [
                {"sku": "tea", "quantity": 2, "unit_price": 3.5},
                {"sku": "tea", "quantity": 1, "unit_price": "4.00"},
            ],
        },
        {"order_id": "O-2", "customer_id": "C-1", "ordered_at": "2026-03-02", "amount": 7},
        {
            "external_id": "O-3",
            "customer_id": "C-1",
            "ordered_at": "2026-03-02",
            "lines": [
                {"sku": "tea", "quantity": 1, "unit_price": 1},
                {"sku": "nothing", "quantity": 1, "unit_price": 1},
            ],
        },
        {"external_id": "O-4", "customer_id": "C-9", "ordered_at": "2026-03-02", "amount": 1},
        {"external_id": "O-5", "customer_id": "C-1", "ordered_at": "2026-03-02"},
    ]
    client = api_client("staff")
    answer = sent(client, "orders", rows)
    assert outcomes(answer) == ["created", "created", "rejected", "rejected", "rejected"]
    assert [sorted(row["errors"]) for row in answer.json()["rows"][2:]] == [
        ["sku"], ["customer_id"], ["amount"],
    ]  # fmt: skip
    amounts = dict(Order.objects.values_list("external_id", "amount"))
    assert amounts == {"O-1": Decimal(11), "O-2": Decimal(7)}
    assert set(Order.objects.values_list("entry", flat=True)) == {"live"}
    assert OrderLine.objects.count() == 2
    assert outcomes(sent(client, "orders", rows[:2])) == ["unchanged", "unchanged"]


def test_products_and_shops_come_the_same_way(api_client):
    client = api_client("manager")
    make_product(sku="tea", name="Tea")
    rows = [
        {"sku": "tea", "price": "4.20", "special_offer_sku": "pot"},
        {"sku": "pot", "name": "Pot", "price": 12},
        {"sku": "cup", "special_offer_sku": "nothing"},
    ]
    answer = sent(client, "products", rows)
    assert outcomes(answer) == ["updated", "created", "rejected"]
    assert Product.objects.get(sku="tea").special_offer.sku == "pot"
    shops = sent(client, "locations", [{"code": "centre", "name": "Centre"}, {"code": "north"}])
    assert outcomes(shops) == ["created", "rejected"]
    assert shops.json()["rows"][0]["ref"] == "centre"


def test_a_repeated_request_has_one_effect_and_the_first_answer(api_client):
    client = api_client("staff")
    rows = [{"external_id": "C-1", "name": "Anna"}]
    first = sent(client, "customers", rows, **{"Idempotency-Key": "k"})
    again = sent(client, "customers", rows, **{"Idempotency-Key": "k"})
    assert (first.json(), again.headers["Idempotency-Replayed"]) == (again.json(), "true")
    assert ImportBatch.objects.count() == 1
    finished = Event.objects.get(kind="import.finished")
    assert (finished.codes["mode"], finished.codes["created"]) == ("live", 1)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"rows": [{"external_id": str(n)} for n in range(1001)]}, 413, "too_many_rows"),
        ({"rows": []}, 400, "invalid"),
        ({"rows": {"external_id": "1"}}, 400, "invalid"),
        ({"rows": [{"external_id": "1"}], "mode": "history"}, 400, "invalid"),
        ([], 400, "invalid"),
    ],
)
def test_what_is_no_list_of_at_most_a_thousand_rows_is_refused_whole(
    api_client, body, status, code
):
    answer = api_client("staff").post("/api/v1/customers/bulk/", body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not Customer.objects.exists()
    assert not ImportBatch.objects.exists()


def test_a_thousand_customers_cost_hardly_more_queries_than_a_hundred(api_client):
    client = api_client("staff")

    def rows(prefix, count):
        return [
            {"external_id": f"{prefix}{n}", "name": f"N {n}", "email": f"{prefix}{n}@example.com",
             "phone": f"+7912{n:07}", "marketing_consent": True}
            for n in range(count)
        ]  # fmt: skip

    queries = []
    for prefix, count in (("a", 100), ("b", 1000)):
        with CaptureQueriesContext(connection) as captured:
            answer = sent(client, "customers", rows(prefix, count))
        assert answer.json()["created"] == count
        queries.append(len(captured))
    # Portions: a customer is about ten rows of a table, and a transaction a few thousand.
    assert queries[1] - queries[0] <= 25


def test_refunds_come_and_are_corrected_and_never_exceed_the_order(api_client):
    client = api_client("staff")
    make_order(external_id="O-1", amount=100, ordered_at=NOON)
    rows = [
        {"external_id": "R-1", "order": "O-1", "amount": 60, "refunded_at": "2026-03-03"},
        {"external_id": "R-2", "order": "O-1", "amount": 60},
        {"external_id": "R-3", "order": "nothing", "amount": 1},
    ]
    answer = sent(client, "refunds", rows)
    assert outcomes(answer) == ["created", "rejected", "rejected"]
    assert all(row["errors"] for row in answer.json()["rows"][1:])
    again = sent(client, "refunds", [rows[0], rows[0] | {"amount": 40}])
    assert outcomes(again) == ["unchanged", "updated"]
    amounts = Refund.objects.order_by("id").values_list("external_id", "amount")
    assert list(amounts) == [("R-1", Decimal(60)), ("R-1", Decimal(40))]


def test_contacts_come_once_by_source_and_id(api_client):
    client = api_client("staff")
    make_customer(external_id="C-1")
    row = {
        "source": "chat", "external_id": "m-1", "channel": "chat", "customer": "C-1",
        "text": "Hello", "occurred_at": "2026-03-02T12:00:00Z",
    }  # fmt: skip
    answer = sent(client, "interactions", [row, row, row | {"external_id": "m-2", "channel": "x"}])
    assert outcomes(answer) == ["created", "unchanged", "rejected"]
    assert list(answer.json()["rows"][2]["errors"]) == ["channel"]
    assert Interaction.objects.get().text == "Hello"


def test_tasks_come_new_or_change_by_their_ref(api_client):
    client = api_client("staff")
    row = {"title": "Call", "due_at": "2030-03-02T12:00:00Z"}
    answer = sent(client, "tasks", [row, {"title": "No time"}, 7])
    assert outcomes(answer) == ["created", "rejected", "rejected"]
    task = Task.objects.get()
    assert answer.json()["rows"][0]["ref"] == task.ref
    changes = [{"ref": task.ref, "title": "Call"}, {"ref": task.ref, "title": "Write"}]
    assert outcomes(sent(client, "tasks", changes)) == ["unchanged", "updated"]
    assert outcomes(sent(client, "tasks", [{"ref": "strange", "title": "x"}])) == ["rejected"]
    task.refresh_from_db()
    assert task.title == "Write"


def test_a_double_written_at_the_same_time_is_refused_in_djangos_words():
    """On PostgreSQL too, where rows are copied: the engine tries such a portion again."""
    tag = (1, "one")
    with transaction.atomic():
        insert_rows(Tag, ("id", "name"), [tag])
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_rows(Tag, ("id", "name"), [tag])
    assert Tag.objects.count() == 1
