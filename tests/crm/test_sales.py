"""Quick sale: one screen, one purchase, however often it is pressed."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.models import Customer, LocationMembership, Order
from crm.selectors.sales import find_buyers
from crm.services import NewLine
from crm.services.sales import SaleTokenReused, record_sale, shares
from tests.cast import ACTOR, NOON, make_customer, make_location, make_product

pytestmark = [pytest.mark.django_db]
SALE = "/orders/quick/"
HTMX = {"HX-Request": "true"}


def screen(**fields: Any) -> dict[str, Any]:
    """The form as the browser sends it; ``basket`` is (sku, quantity, price) rows."""
    basket = fields.pop("basket", [])
    sent: dict[str, Any] = {"token": "t1", "customer": "", "who": "", "q": "", "discount": ""}
    sent |= {"sku": [], "quantity": [], "price": []}
    for sku, quantity, price in basket:
        sent["sku"].append(sku)
        sent["quantity"].append(quantity)
        sent["price"].append(price)
    return sent | fields


def test_a_sale_for_a_known_customer_ends_with_a_slip_and_a_new_screen(
    client_for: Any, stan: Any
) -> None:
    make_product(sku="tea", name="Green tea", price=Decimal("3.50"), cost=Decimal(1))
    customer = make_customer(phone="+79123456789", name="Anna")
    shop = make_location(code="north")
    LocationMembership.objects.create(user=stan, location=shop)
    browser = client_for(stan)
    first = browser.get(SALE)
    assert first.context["shop"] == "north"  # my own shop
    token = first.context["token"]

    added = browser.post(SALE, screen(token=token, do="add", q="tea"), headers=HTMX)
    [line] = added.context["basket"].lines
    assert (line.sku, line.quantity, line.price) == ("tea", "1", "3.50")
    assert "<html" not in added.text  # the screen alone
    picked = browser.post(SALE, screen(do=f"pick:{customer.ref}"), headers=HTMX)
    assert picked.context["customer"] == customer

    answer = browser.post(
        SALE,
        screen(
            token=token,
            do="pay",
            customer=customer.ref,
            basket=[("tea", "2", "3.50")],
            location="north",
        ),
        follow=True,
    )

    order = Order.objects.get()
    assert answer.request["PATH_INFO"] == f"/orders/{order.ref}/slip/"
    assert (order.customer, order.location, order.entry) == (customer, shop, "live")
    assert (order.status, order.amount, order.cost) == ("delivered", 7, 2)
    assert order.ref in answer.text
    assert "7.00" in answer.text
    assert browser.get(SALE).context["token"] != token


def test_a_second_press_sells_nothing_twice(client_for: Any, stan: Any) -> None:
    make_product(sku="tea", price=Decimal(3))
    sent = screen(do="pay", who="89123456789", newcomer="on", basket=[("tea", "1", "3")])
    browser = client_for(stan)
    answers = [browser.post(SALE, sent) for _again in range(3)]
    assert len({answer["Location"] for answer in answers}) == 1
    assert (Order.objects.count(), Customer.objects.count()) == (1, 1)
    other = browser.post(SALE, sent | {"quantity": ["2"]})
    assert other.status_code == 422  # another sale from the same screen
    assert Order.objects.count() == 1


def test_the_same_token_with_another_sale_is_refused() -> None:
    happening = {"happened_at": NOON, "actor": ACTOR, "token": "t"}
    record_sale(amount=Decimal(5), **happening)
    with pytest.raises(SaleTokenReused):
        record_sale(amount=Decimal(6), **happening)
    assert Order.objects.get().amount == 5


def test_a_new_customer_is_recorded_with_the_sale(client_for: Any, stan: Any) -> None:
    browser = client_for(stan)
    browser.post(
        SALE,
        screen(do="pay", who="8 (912) 345-67-89", newcomer="on", name="Olga", amount="99,90"),
    )
    order = Order.objects.get()
    assert (order.amount, order.customer.name) == (Decimal("99.90"), "Olga")
    assert order.customer.contact_points.get().normalized == "+79123456789"


def test_a_sale_is_taken_back_within_ten_seconds(client_for: Any, stan: Any) -> None:
    browser = client_for(stan)
    answer = browser.post(SALE, screen(do="pay", amount="5"), follow=True)
    [token] = re.findall(r'name="token" value="([^"]+)"', answer.text)
    browser.post("/undo/", {"token": token})
    assert Order.objects.get().status == "cancelled"


def test_the_discount_is_shared_out_over_the_lines(client_for: Any, stan: Any) -> None:
    for sku, price in (("tea", 3), ("cup", 7)):
        make_product(sku=sku, price=Decimal(price))
    basket = [("tea", "1", "3"), ("cup", "1", "7")]
    browser = client_for(stan)
    shown = browser.post(SALE, screen(do="count", basket=basket, discount="10%"), headers=HTMX)
    assert (shown.context["discount"], shown.context["total"]) == (1, 9)
    browser.post(SALE, screen(do="pay", basket=basket, discount="10%"))
    order = Order.objects.get()
    assert order.amount == 9
    assert [row.discount for row in order.lines.order_by("id")] == [
        Decimal("0.30"),
        Decimal("0.70"),
    ]


cents = st.decimals(min_value=0, max_value=1000, places=2)


@given(weights=st.lists(cents, min_size=1, max_size=8), part=st.fractions(0, 1))
def test_shares_add_up_and_none_exceeds_its_weight(weights: list[Decimal], part: Any) -> None:
    whole = sum(weights, Decimal(0))
    total = (whole * part.numerator / part.denominator).quantize(Decimal("0.01"))
    total = min(total, whole)
    parts = shares(total, weights)
    assert sum(parts, Decimal(0)) == total
    assert all(0 <= one <= weight for one, weight in zip(parts, weights, strict=True))
    assert all(one == one.quantize(Decimal("0.01")) for one in parts)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"amount": "-1"},
        {"amount": "x"},
        {"basket": [("unknown", "1", "1")]},
        {"basket": [("tea", "-1", "3")]},
        {"basket": [("tea", "NaN", "3")]},
        {"basket": [("tea", "1", "")]},
        {"basket": [("tea", "1", "1e5")]},
        {"basket": [("tea", "1", "3")], "discount": "4"},
        {"basket": [("tea", "1", "3")], "discount": "101%"},
        {"basket": [("tea", "1", "3")], "discount": "-1"},
        {"basket": [("tea", "1", "3")], "discount": "many"},
        {"basket": [("tea", "1", "3")], "location": "nowhere"},
        {"basket": [("te\x00a", "1", "3")]},
        {"amount": "5", "who": "a\x00", "newcomer": "on"},
    ],
)
def test_rubbish_is_shown_where_it_stands_and_sells_nothing(
    client_for: Any, stan: Any, fields: dict[str, Any]
) -> None:
    make_product(sku="tea", price=Decimal(3))
    answer = client_for(stan).post(SALE, screen(do="pay", **fields))
    assert answer.status_code == 422
    assert not Order.objects.exists()
    assert not Customer.objects.exists()


def test_goods_are_found_scanned_counted_and_taken_out(client_for: Any, stan: Any) -> None:
    make_product(sku="tea", name="Green tea", price=Decimal(3))
    make_product(sku="tea-2", name="Black tea", price=Decimal(4))
    browser = client_for(stan)

    def basket(**fields: Any) -> list[tuple[str, str]]:
        lines = browser.post(SALE, screen(**fields), headers=HTMX).context["basket"].lines
        return [(line.sku, line.quantity) for line in lines]

    found = browser.get(f"{SALE}products/", {"q": "tea"}).context["products"]
    assert [one.sku for one in found] == ["tea"]  # exactly this SKU
    found = browser.get(f"{SALE}products/", {"q": "black"}).context["products"]
    assert [one.sku for one in found] == ["tea-2"]
    assert basket(do="add", q="a tea nobody sells") == []
    assert basket(do="add:tea-2") == [("tea-2", "1")]
    two = [("tea", "1", "3"), ("tea-2", "2", "4")]
    assert basket(do="add", q="tea", basket=two) == [("tea", "2"), ("tea-2", "2")]
    assert basket(do="more:tea-2", basket=two) == [("tea", "1"), ("tea-2", "3")]
    assert basket(do="less:tea", basket=two) == [("tea-2", "2")]
    assert basket(do="remove:tea-2", basket=two) == [("tea", "1")]


def test_an_empty_screen_shows_itself_again(client_for: Any, stan: Any) -> None:
    customer = make_customer()
    browser = client_for(stan)
    assert browser.post(SALE, {}).status_code == 200
    assert browser.get(SALE, {"customer": customer.ref}).context["customer"] == customer
    assert not Order.objects.exists()


def test_buyers_are_found_by_number_last_digits_card_and_name() -> None:
    anna = make_customer(name="Anna Petrova", phone="+79123456789", external_id="C-1")
    boris = make_customer(name="Boris", phone="+79990006789")
    anna.search_terms.create(kind="card", term="2000000001234")

    assert find_buyers("8 912 345-67-89") == [anna]
    assert {one.name for one in find_buyers("6789")} == {"Anna Petrova", "Boris"}
    assert find_buyers("06789") == [boris]
    assert find_buyers("1234") == [anna]
    assert find_buyers("petrova") == [anna]
    assert find_buyers("C-1") == [anna]
    assert find_buyers("nobody") == []


@pytest.mark.any_database
def test_every_piece_keeps_the_query_budget(
    client_for: Any, stan: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(5):
        make_product(sku=f"tea-{number}", name="Tea", price=Decimal(3))
        make_customer(phone=f"+7912345{number}6789")
    browser = client_for(stan)
    basket = [(f"tea-{number}", "1", "3") for number in range(5)]
    for call in (
        lambda: browser.get(f"{SALE}products/", {"q": "tea"}),
        lambda: browser.get(f"{SALE}customers/", {"who": "6789"}),
        lambda: browser.post(SALE, screen(do="count", basket=basket), headers=HTMX),
    ):
        with django_assert_max_num_queries(12):
            assert call().status_code == 200


def test_lines_with_their_own_discount_keep_it() -> None:
    tea = make_product()
    line = NewLine(tea.pk, Decimal(1), Decimal(10), discount=Decimal(4))
    order = record_sale(token="t", lines=[line], discount=Decimal(1), happened_at=NOON, actor=ACTOR)
    assert (order.amount, order.lines.get().discount) == (5, 5)
