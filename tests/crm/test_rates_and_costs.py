"""What foreign money is worth, and what winning and serving customers cost."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from common.errors import InvalidInput
from common.models import Event
from crm.models import Cost, ExchangeRate
from crm.selectors.costs import cost_months, cost_years
from crm.selectors.rates import at_home, rate_on, rates_for
from crm.services.costs import record_cost
from crm.services.rates import OwnCurrency, record_rate
from tests.cast import ACTOR, NOON, make_location, make_order

pytestmark = pytest.mark.django_db
HAPPENING = {"happened_at": NOON, "actor": ACTOR}
MONDAY = date(2026, 3, 2)


@pytest.fixture(autouse=True)
def _euros(settings: Any) -> None:
    settings.KEEPWELL_CURRENCY = "EUR"


def rate(currency: str, day: date, value: str) -> ExchangeRate:
    return record_rate(currency=currency, date=day, rate=Decimal(value), **HAPPENING)


def cost(amount: Any, **fields: Any) -> Cost:
    fields = {"month": MONDAY, "category": "marketing"} | fields
    return record_cost(amount=Decimal(amount), **fields, **HAPPENING)


def test_a_day_without_a_rate_takes_the_latest_one_before() -> None:
    rate("USD", MONDAY, "0.9")
    rate("USD", MONDAY + timedelta(days=3), "0.95")

    days = [MONDAY + timedelta(days=n) for n in (-1, 0, 2, 3, 30)]

    expected = [None, Decimal("0.9"), Decimal("0.9"), Decimal("0.95"), Decimal("0.95")]
    assert [rate_on("USD", day) for day in days] == expected
    many = rates_for([("USD", day) for day in days] + [("EUR", MONDAY), ("GBP", MONDAY)])
    assert [many.get(("USD", day)) for day in days] == expected
    assert many["EUR", MONDAY] == 1
    assert ("GBP", MONDAY) not in many


def test_a_correction_is_a_new_row_and_what_was_known_before_stays(clock: Any) -> None:
    rate("USD", MONDAY, "0.9")
    before = clock()
    clock.forward(days=1)
    rate("USD", MONDAY, "0.91")
    rate("USD", MONDAY, "0.91")  # nothing new

    assert rate_on("USD", MONDAY) == Decimal("0.91")
    assert rate_on("USD", MONDAY, known_at=before) == Decimal("0.9")
    assert ExchangeRate.objects.count() == 2
    assert list(Event.objects.order_by("id").values_list("kind", flat=True)) == [
        "rate.recorded",
        "rate.corrected",
    ]


@pytest.mark.parametrize("value", ["0", "-1", "0.123456789", "1000000001"])
def test_a_rate_that_can_not_be_is_refused(value: str) -> None:
    with pytest.raises(InvalidInput):
        rate("USD", MONDAY, value)
    with pytest.raises(OwnCurrency):
        rate("eur", MONDAY, "1")
    assert not ExchangeRate.objects.exists()
    assert not Event.objects.exists()


def test_foreign_amounts_are_added_up_in_the_organisations_money() -> None:
    rate("USD", MONDAY, "0.90000001")
    amounts = {"EUR": Decimal("1.10"), "USD": Decimal("10.005")}
    assert at_home(amounts, MONDAY) == Decimal("10.10")
    assert at_home(amounts | {"GBP": Decimal(1)}, MONDAY) is None


def test_a_foreign_purchase_is_shown_in_both_currencies(client_for: Any, ana: Any) -> None:
    order = make_order(amount=100, currency="USD", ordered_at=NOON)
    browser = client_for(ana)
    assert "a rate is missing" in browser.get(f"/orders/{order.ref}/").text
    rate("USD", MONDAY, "0.9")
    text = browser.get(f"/orders/{order.ref}/").text
    assert "$100.00" in text
    assert "€90.00" in text


def test_costs_are_shown_by_month_and_category_with_foreign_money_converted() -> None:
    shop = make_location()
    cost(100)
    cost(20, location_id=shop.pk)
    cost(30, category="service", currency="USD")
    cost(7, month=date(2026, 1, 31))
    cost(1, month=date(2025, 5, 1))

    def told(year: int, **filters: Any) -> list[Any]:
        return [
            (entry.month.month, entry.marketing, entry.service, entry.total)
            for entry in cost_months(year, **filters)
        ]

    assert told(2026) == [(3, 120, None, None), (1, 7, 0, 7)]
    rate("USD", date(2026, 3, 31), "0.5")  # of the month's last day
    assert told(2026) == [(3, 120, 15, 135), (1, 7, 0, 7)]
    assert told(2026, location_id=shop.pk) == [(3, 20, 0, 20)]
    assert cost_years() == [2026, 2025]


def test_the_row_recorded_last_is_in_force_and_zero_takes_back() -> None:
    cost(100)
    cost(90)
    cost(90)
    assert [entry.marketing for entry in cost_months(2026)] == [90]
    cost(0)
    assert cost_months(2026) == []
    assert [row.amount for row in Cost.objects.order_by("id")] == [100, 90, 0]
    with pytest.raises(InvalidInput):
        cost(-1)
    with pytest.raises(InvalidInput):
        cost(1, category="rent")
    assert Cost.objects.count() == 3


@pytest.mark.any_database
def test_managers_record_and_correct_costs_and_rates_in_the_pages(
    client_for: Any, mara: Any, stan: Any
) -> None:
    make_location(code="north")
    browser = client_for(mara)
    sent = {"month": "2026-03", "category": "service", "location": "north", "amount": "12,50"}
    answer = browser.post("/costs/new/", sent | {"currency": "EUR"})
    assert answer["Location"] == "/costs/2026-03/"
    browser.post("/costs/new/", sent | {"currency": "EUR", "amount": "13"})
    month = browser.get("/costs/2026-03/")
    assert [row.amount for row in month.context["costs"]] == [13]
    assert [row.amount for row in month.context["earlier"]] == [Decimal("12.50")]
    assert browser.get("/costs/").context["months"][0].total == 13

    browser.post("/rates/new/", {"currency": "usd", "date": "2026-03-02", "rate": "0,9"})
    [row] = browser.get("/rates/", {"currency": "USD"}).context["rates"]
    assert row["rate"] == Decimal("0.9")

    for url, bad in (
        ("/costs/new/", sent | {"currency": "EUR", "month": "2026-13"}),
        ("/costs/new/", sent | {"currency": "EUR", "month": "2199-01"}),
        ("/costs/new/", sent | {"currency": "EURO"}),
        ("/rates/new/", {"currency": "EUR", "date": "2026-03-02", "rate": "1"}),
        ("/rates/new/", {"currency": "USD", "date": "2199-01-01", "rate": "1"}),
        ("/rates/new/", {"currency": "USD", "date": "2026-03-02", "rate": "0"}),
    ):
        assert browser.post(url, bad).status_code == 422, (url, bad)
    assert (Cost.objects.count(), ExchangeRate.objects.count()) == (2, 1)
    assert client_for(stan).get("/costs/").status_code == 403


@pytest.mark.any_database
def test_programs_record_costs_and_rates(api_client: Any) -> None:
    api = api_client("manager")
    body = {"month": "2026-03", "category": "marketing", "amount": "10"}
    answer = api.post("/api/v1/costs/", body, format="json", headers={"Idempotency-Key": "c1"})
    assert answer.status_code == 201, answer.content
    told = answer.json()
    assert (told["month"], told["amount"], told["currency"]) == ("2026-03", "10.00", "EUR")
    api.post("/api/v1/costs/", body | {"amount": "11"}, format="json")
    [row] = api_client("analyst").get("/api/v1/costs/", {"month": "2026-03"}).json()["results"]
    assert row["amount"] == "11.00"

    body = {"currency": "usd", "date": "2026-03-02", "rate": "0.00000001"}
    answer = api.post("/api/v1/rates/", body, format="json")
    assert (answer.status_code, answer.json()["rate"]) == (201, "0.00000001")
    listed = api_client("staff").get("/api/v1/rates/", {"currency": "usd"}).json()["results"]
    assert [one["date"] for one in listed] == ["2026-03-02"]
    for url, bad in (
        ("/api/v1/rates/", body | {"rate": "0"}),
        ("/api/v1/rates/", body | {"rate": "1.123456789"}),
        ("/api/v1/rates/", body | {"currency": "EUR"}),
        ("/api/v1/costs/", {"month": "2026", "category": "marketing", "amount": "1"}),
        ("/api/v1/costs/", {"month": "2026-03", "category": "marketing", "amount": "-1"}),
    ):
        assert api.post(url, bad, format="json").status_code == 400, bad
    assert api_client("staff").post("/api/v1/rates/", body, format="json").status_code == 403
    assert api_client("staff").get("/api/v1/costs/").status_code == 403
    assert (Cost.objects.count(), ExchangeRate.objects.count()) == (2, 1)
