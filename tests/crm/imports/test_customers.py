from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from crm.models import ConsentEvent, ContactPoint, Customer, ImportReject, SearchTerm
from crm.selectors import consent_in_force
from crm.services import record_consent
from tests.cast import make_customer, make_location
from tests.crm.imports.conftest import counts

pytestmark = pytest.mark.django_db

FULL = (
    "external_id,name,email,phone,language,country,city,birth_date,acquired_at,source,industry,"
    "location,tags,marketing_consent,acquisition_cost\n"
    "0012,Анна Ли,Anna@Example.org,8 (912) 345-67-89,RU,Russia,Kazan,1990-05-31,2024-01-05 10:00,"
    "web,retail,centre,vip; new,yes,12.5\n"
)


def test_it_records_every_column(imported):
    shop = make_location(code="centre")

    outcome = imported("customers", FULL)

    assert counts(outcome) == (1, 0, 0, 0)
    customer = Customer.objects.get(external_id="0012")  # an id of digits stays text
    assert (customer.name, customer.language, customer.country, customer.city) == (
        "Анна Ли",
        "ru",
        "Russia",
        "Kazan",
    )
    assert (customer.birth_date, customer.source, customer.industry) == (
        date(1990, 5, 31),
        "web",
        "retail",
    )
    assert customer.acquired_at == datetime(2024, 1, 5, 10, tzinfo=UTC)
    assert (customer.acquisition_cost, customer.location) == (Decimal("12.5"), shop)
    assert (customer.is_invented, customer.stage, customer.kind) == (False, "lead", "person")
    assert {
        (point.kind, point.value, point.normalized, point.is_primary)
        for point in customer.contact_points.all()
    } == {
        ("email", "Anna@Example.org", "anna@example.org", True),
        ("phone", "8 (912) 345-67-89", "+79123456789", True),
    }
    assert {tag.tag.name for tag in customer.tags.all()} == {"vip", "new"}


def test_search_terms_are_those_of_a_customer_typed_in(imported):
    typed = make_customer(name="Anna Li", email="A@example.org", phone="+79991234567")

    imported("customers", "external_id,name,email,phone\nx1,Anna Li,A@example.org,89991234567\n")

    def terms(customer):
        kept = SearchTerm.objects.filter(customer=customer).exclude(kind="id")
        return set(kept.values_list("kind", "term"))

    assert terms(Customer.objects.get(external_id="x1")) == terms(typed)


def test_a_yes_grants_both_purposes_from_the_day_of_acquisition(imported):
    imported("customers", "external_id,acquired_at,marketing_consent\n1,2024-01-05,yes\n")

    events = ConsentEvent.objects.values_list("purpose", "is_granted", "source", "occurred_at")
    at = datetime(2024, 1, 5, tzinfo=UTC)
    assert sorted(events) == [("marketing", True, "import", at), ("surveys", True, "import", at)]


def test_importing_again_changes_and_writes_nothing(imported):
    make_location(code="centre")
    imported("customers", FULL)
    before = [
        list(model.objects.order_by("pk").values())
        for model in (Customer, ContactPoint, SearchTerm, ConsentEvent)
    ]

    outcome = imported("customers", FULL)

    assert counts(outcome) == (0, 0, 1, 0)
    assert before == [
        list(model.objects.order_by("pk").values())
        for model in (Customer, ContactPoint, SearchTerm, ConsentEvent)
    ]


def test_filled_cells_overwrite_and_empty_ones_do_not(imported):
    imported("customers", "external_id,name,city,email\n1,Ann,Kazan,old@example.org\n")

    outcome = imported("customers", "external_id,name,city,email\n1,,Perm,new@example.org\n")

    assert counts(outcome) == (0, 1, 0, 0)
    customer = Customer.objects.get(external_id="1")
    assert (customer.name, customer.city) == ("Ann", "Perm")
    assert dict(customer.contact_points.values_list("normalized", "is_primary")) == {
        "old@example.org": False,
        "new@example.org": True,
    }
    assert set(customer.search_terms.values_list("term", flat=True)) == {
        "ann",
        "1",
        "new@example.org",
        "old@example.org",  # former addresses still find somebody
    }


def test_the_customers_own_withdrawal_outlives_an_import(imported):
    imported("customers", "external_id,marketing_consent\n1,yes\n")
    customer = Customer.objects.get()
    record_consent(
        customer_id=customer.pk,
        purpose="marketing",
        is_granted=False,
        happened_at=datetime(2030, 1, 1, tzinfo=UTC),
        actor="customer:1",
        source="unsubscribe",
    )

    outcome = imported("customers", "external_id,marketing_consent\n1,yes\n")

    assert counts(outcome) == (0, 0, 1, 0)
    assert consent_in_force([customer.pk], "marketing") == set()
    assert consent_in_force([customer.pk], "surveys") == {customer.pk}


def test_a_later_no_withdraws_what_an_import_granted(imported):
    imported("customers", "external_id,marketing_consent\n1,yes\n")

    outcome = imported("customers", "external_id,marketing_consent\n1,no\n")

    assert counts(outcome) == (0, 1, 0, 0)
    assert consent_in_force([Customer.objects.get().pk], "marketing") == set()
    assert ConsentEvent.objects.count() == 4


def test_several_rows_of_one_customer_are_one_customer(imported):
    outcome = imported("customers", "external_id,name,city\n1,Ann,\n2,Bob,\n1,,Perm\n1,Anna,\n")

    assert counts(outcome) == (2, 0, 0, 0)
    customer = Customer.objects.get(external_id="1")
    assert (customer.name, customer.city) == ("Anna", "Perm")


def test_every_unusable_cell_is_told_with_line_column_value_and_reason(imported):
    outcome = imported(
        "customers",
        "external_id,name,email,phone,birth_date,location,language\n"
        "1,Ann,,,,,\n"
        ",Bob,,,,,\n"
        "3,Cid,bad,123,1890-01-01,nowhere,english\n",
    )

    assert counts(outcome) == (1, 0, 0, 2)
    told = [(row["line"], row["column"], row["value"]) for row in outcome.rejects]
    assert told == [
        (3, "external_id", ""),
        (4, "birth_date", "1890-01-01"),
        (4, "email", "bad"),
        (4, "language", "english"),
        (4, "location", "nowhere"),
        (4, "phone", "123"),
    ]
    assert all(row["reason"] for row in outcome.rejects)
    assert ImportReject.objects.count() == 6
    assert Customer.objects.count() == 1
