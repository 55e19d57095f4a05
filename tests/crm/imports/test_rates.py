from datetime import date
from decimal import Decimal

import pytest

from common.models import Event
from crm.imports.mapping import Mapping
from crm.models import ExchangeRate, ImportBatch, ImportRange
from crm.selectors.rates import rate_on
from tests.crm.imports.conftest import counts

pytestmark = pytest.mark.django_db
FILE = "currency,date,rate\neur,2026-05-04,0.92345678\nEUR,2026-05-05,0.93\nGBP,2026-05-05,1.2\n"


def told(outcome):
    return [(row["line"], row["column"], row["value"], row["reason"]) for row in outcome.rejects]


def test_it_records_what_foreign_money_was_worth(imported):
    outcome = imported("rates", FILE)

    assert counts(outcome) == (3, 0, 0, 0)
    assert rate_on("EUR", date(2026, 5, 4)) == Decimal("0.92345678")
    assert rate_on("EUR", date(2026, 5, 9)) == Decimal("0.93")
    assert rate_on("GBP", date(2026, 5, 5)) == Decimal("1.2")
    assert not Event.objects.filter(kind="rate.recorded").exists()


def test_the_same_file_again_records_nothing(imported):
    imported("rates", FILE)

    assert counts(imported("rates", FILE)) == (0, 0, 3, 0)
    assert ExchangeRate.objects.count() == 3


def test_another_rate_is_a_new_row_and_the_first_one_stays(imported):
    imported("rates", FILE)

    outcome = imported("rates", "currency,date,rate\nEUR,2026-05-05,0.94\n")

    assert counts(outcome) == (0, 1, 0, 0)
    assert rate_on("EUR", date(2026, 5, 5)) == Decimal("0.94")
    assert ExchangeRate.objects.filter(currency="EUR", date="2026-05-05").count() == 2


def test_a_mapping_may_keep_what_is_known(imported):
    imported("rates", FILE)

    text = "currency,date,rate\nEUR,2026-05-05,0.94\nEUR,2026-05-06,0.95\n"
    outcome = imported("rates", text, mapping=Mapping(overwrite="nothing"))

    assert counts(outcome) == (1, 0, 1, 0)
    assert rate_on("EUR", date(2026, 5, 5)) == Decimal("0.93")


def test_what_can_be_no_rate_is_told_with_its_reason(imported):
    outcome = imported(
        "rates",
        "currency,date,rate\n"
        "USD,2026-05-05,1\n"
        "dollar,2026-05-05,1\n"
        "EUR,2026-02-30,1\n"
        "EUR,2026-05-05,0\n"
        "EUR,2026-05-05,0.123456789\n"
        "EUR,2026-05-06,0.5\n"
        "EUR,2026-05-06,0.5\n"
        "EUR,2026-05-06,0.6\n",
    )

    assert counts(outcome) == (1, 0, 0, 6)
    assert told(outcome) == [
        (2, "currency", "USD", "This is your own currency; it needs no rate."),
        (3, "currency", "dollar", "Enter a currency code such as EUR."),
        (4, "date", "2026-02-30", "Enter a date such as 2026-05-31."),
        (5, "rate", "0", "Enter a rate above 0 with at most eight decimals."),
        (6, "rate", "0.123456789", "At most 8 decimals are allowed."),
        (9, "rate", "", "Line 7 gives another rate for this day."),
    ]


def test_live_tells_of_each_rate_and_a_dry_run_writes_nothing(imported):
    assert counts(imported("rates", FILE, is_dry_run=True)) == (3, 0, 0, 0)
    assert not ExchangeRate.objects.exists()

    imported("rates", FILE, mode="live")

    events = Event.objects.filter(kind="rate.recorded").order_by("id")
    assert [(event.subject_ref, event.codes) for event in events] == [
        ("EUR:2026-05-04", {"rate": "0.92345678"}),
        ("EUR:2026-05-05", {"rate": "0.93"}),
        ("GBP:2026-05-05", {"rate": "1.2"}),
    ]


def test_the_rows_made_are_noted_for_undoing(imported):
    imported("rates", FILE)

    made = ImportRange.objects.get(batch=ImportBatch.objects.get())
    first, last = ExchangeRate.objects.order_by("id").values_list("id", flat=True)[0:3:2]
    assert (made.table, made.first_id, made.last_id) == ("crm.ExchangeRate", first, last)
