from datetime import date
from decimal import Decimal

import pytest

from common.models import Event
from crm.imports.mapping import Mapping
from crm.models import Cost
from crm.selectors.costs import list_costs
from tests.cast import make_location
from tests.crm.imports.conftest import counts

pytestmark = pytest.mark.django_db
FILE = (
    "period,category,amount,location\n"
    "2026-05,marketing,1000.50,\n"
    "2026-05-17,service,300,centre\n"
    "2026-06,Marketing,0,\n"
)


@pytest.fixture(autouse=True)
def _shop(db):
    make_location(code="centre")


def in_force():
    rows = list_costs().order_by("month", "category")
    return [
        (row.month, row.category, row.location and row.location.code, row.amount) for row in rows
    ]


def told(outcome):
    return [(row["line"], row["column"], row["value"], row["reason"]) for row in outcome.rejects]


def test_it_records_what_a_month_cost_by_category_and_shop(imported):
    outcome = imported("costs", FILE)

    assert counts(outcome) == (3, 0, 0, 0)
    assert in_force() == [
        (date(2026, 5, 1), "marketing", None, Decimal("1000.5")),
        (date(2026, 5, 1), "service", "centre", Decimal(300)),
    ]
    assert set(Cost.objects.values_list("currency", flat=True)) == {"USD"}
    assert not Event.objects.filter(kind="cost.recorded").exists()


def test_the_same_file_again_records_nothing(imported):
    imported("costs", FILE)

    assert counts(imported("costs", FILE)) == (0, 0, 3, 0)
    assert Cost.objects.count() == 3


def test_another_amount_is_a_new_row_and_zero_takes_it_back(imported):
    imported("costs", FILE)

    outcome = imported(
        "costs",
        "period,category,amount,location\n2026-05,marketing,1100,\n2026-05,service,0,centre\n",
    )

    assert counts(outcome) == (0, 2, 0, 0)
    assert in_force() == [(date(2026, 5, 1), "marketing", None, Decimal(1100))]
    assert Cost.objects.count() == 5


def test_months_may_be_written_as_the_mapping_says_and_known_ones_kept(imported):
    imported("costs", FILE)
    mapping = Mapping(date_format="%m/%Y", decimal_comma=True, overwrite="nothing")

    outcome = imported(
        "costs",
        'period,category,amount\n05/2026,marketing,"7,5"\n07/2026,service,"1 000,25"\n',
        mapping=mapping,
    )

    assert counts(outcome) == (1, 0, 1, 0)
    assert in_force()[-1] == (date(2026, 7, 1), "service", None, Decimal("1000.25"))


def test_a_row_may_name_its_currency_and_means_ours_where_it_does_not(imported):
    file = "period,category,amount,currency\n2026-05,marketing,1000,eur\n2026-06,marketing,7,\n"

    assert counts(imported("costs", file)) == (2, 0, 0, 0)
    assert list(list_costs().order_by("month").values_list("amount", "currency")) == [
        (Decimal(1000), "EUR"),
        (Decimal(7), "USD"),
    ]
    assert counts(imported("costs", file)) == (0, 0, 2, 0)
    assert counts(imported("costs", file.replace("eur", "GBP"))) == (0, 1, 1, 0)
    assert counts(imported("costs", file.replace("eur", "euros"))) == (0, 0, 1, 1)
    assert [row.currency for row in list_costs().order_by("month")] == ["GBP", "USD"]


def test_what_can_be_no_cost_is_told_with_its_reason(imported):
    outcome = imported(
        "costs",
        "period,category,amount,location\n"
        "2026-13,marketing,1,\n"
        "May 2026,marketing,1,\n"
        "2026-05,rent,1,\n"
        "2026-05,service,-1,\n"
        "2026-05,service,1,moon\n"
        "2026-05,service,1,centre\n"
        "2026-05-31,service,1,centre\n",
    )

    assert counts(outcome) == (1, 0, 0, 6)
    assert told(outcome) == [
        (2, "period", "2026-13", "Enter a month such as 2026-05."),
        (3, "period", "May 2026", "Enter a month such as 2026-05."),
        (4, "category", "rent", "Enter one of: marketing, service."),
        (5, "amount", "-1", "Enter a number from 0 to 99999999999."),
        (6, "location", "moon", "There is no shop with this code."),
        (
            8,
            "period",
            "2026-05",
            "Line 7 gives this month, category and shop already; give their sum.",
        ),
    ]


def test_live_tells_of_each_cost(imported):
    imported("costs", FILE, mode="live")
    imported("costs", "period,category,amount\n2026-05,marketing,5\n", mode="live")

    events = Event.objects.filter(subject_kind="cost").order_by("id")
    assert [(event.kind, event.subject_ref, event.codes["amount"]) for event in events] == [
        ("cost.recorded", "2026-05:marketing", "1000.50"),
        ("cost.recorded", "2026-05:service", "300.00"),
        ("cost.recorded", "2026-06:marketing", "0.00"),
        ("cost.corrected", "2026-05:marketing", "5.00"),
    ]
