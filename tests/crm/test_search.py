"""The search box."""

import pytest

from crm.models import Customer
from crm.selectors.search import find_customers, search_customers
from tests.cast import NOON, make_customer

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna():
    return make_customer(
        name="Anna Petrova",
        external_id="HH-204",
        email="anna.p@example.com",
        phone="+7 912 345-67-89",
    )


@pytest.mark.parametrize(
    "text",
    [
        "HH-2",
        "hh-204",
        "anna.p@",
        "ANNA.P@EXAMPLE.COM",
        "+7912",
        "7912345",
        "8 912 345",
        "8(912)345-67-89",
        "Anna",
        "anna pet",
        "trov",
        "PETROVA",
    ],
)
def test_ids_and_numbers_are_found_by_their_beginning_and_names_by_any_part(anna, text):
    make_customer(name="Boris", external_id="XX-1", phone="+15550001111")
    assert search_customers(text) == [anna]


@pytest.mark.parametrize("text", ["", "  ", "204", "912345", "example.com", "ro", "\x00", "a\u202e",
                                  "%", "_", "A%a", "x" * 400])  # fmt: skip
def test_what_fits_nobody_finds_nobody(anna, text):
    assert search_customers(text) == []


def test_the_public_ref_finds_its_customer_first(anna):
    assert search_customers(anna.ref) == [anna]


def test_short_names_are_found_by_their_beginning():
    wang = make_customer(name="王芳")
    assert search_customers("王") == [wang]


def test_cyrillic_names_are_found_in_any_case():
    yulia = make_customer(name="Юлия Щукина")
    assert search_customers("ЩУКИ") == [yulia]


def test_at_most_fifty_are_found():
    for number in range(55):
        make_customer(name=f"Anna {number}")
    assert len(search_customers("anna")) == 50


def test_who_may_not_see_contacts_cannot_guess_them(anna):
    for text in ("anna.p@", "+7912", "8912"):
        assert search_customers(text, may_see_contacts=False) == []
    assert search_customers("petrova", may_see_contacts=False) == [anna]


def test_erased_customers_are_not_found(anna):
    Customer.objects.filter(pk=anna.pk).update(erased_at=NOON)
    assert search_customers("petrova") == []
    assert find_customers("HH-204") == []


def test_a_search_costs_at_most_five_queries(anna, django_assert_max_num_queries):
    for text in ("anna", "anna petrova"):  # as long as a ref
        with django_assert_max_num_queries(5):
            assert search_customers(text) == [anna]


def test_an_exact_id_is_found_first_among_its_likes():
    likes = [make_customer(external_id=f"HH-{number}") for number in range(200, 260)]
    exact = make_customer(external_id="HH-2")
    found = search_customers("hh-2")
    assert found[0] == exact
    assert len(found) == 50
    assert set(found[1:]) < set(likes)


@pytest.mark.parametrize("text", ["HH-204", "anna.p@example.com", "89123456789", "+79123456789"])
def test_an_exact_name_finds_exactly_one(anna, text):
    make_customer(external_id="HH-2041", email="anna.p@example.com.org")
    assert find_customers(text) == [anna]


def test_an_address_of_two_finds_both(anna):
    twin = make_customer(email="anna.p@example.com")
    assert find_customers("anna.p@example.com") == [anna, twin]
