"""The customers' list, one customer's page, and the forms around it."""

from datetime import timedelta

import pytest

from common.models import Event
from crm.models import ConsentEvent, ContactPoint, Customer
from crm.selectors import has_consent
from tests.cast import NOON, make_customer, make_location, make_order

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

NEW = "/customers/new/"


def page(client, url, **query):
    answer = client.get(url, query)
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


# --- Who gets in --------------------------------------------------------------------------------
@pytest.mark.parametrize("path", ["/customers/", "/customers/new/", "/orders/", "/products/"])
def test_nobody_is_sent_to_sign_in(client_for, path):
    answer = client_for(None).get(path)
    assert answer.status_code == 302
    assert answer["Location"] == f"/accounts/login/?next={path}"


@pytest.mark.parametrize("path", ["/customers/", "/customers/new/", "/orders/", "/locations/"])
def test_customers_find_nothing_at_staff_pages(client_for, kim, path):
    assert client_for(kim).get(path).status_code == 404


def test_a_customer_does_not_see_even_their_own_staff_page(client_for, kim):
    assert client_for(kim).get(f"/customers/{kim.customer.ref}/").status_code == 404


def test_analysts_read_but_do_not_write(client_for, ana):
    customer = make_customer(name="Anna")
    browser = client_for(ana)
    assert browser.get(NEW).status_code == 403
    assert browser.post(NEW, {"name": "X", "kind": "person"}).status_code == 403
    consent = {"purpose": "marketing", "is_granted": "yes"}
    assert browser.post(f"/customers/{customer.ref}/consent/", consent).status_code == 403
    assert Customer.objects.get().name == "Anna"
    assert not ConsentEvent.objects.exists()
    assert "Add customer" not in page(browser, "/customers/")


# --- The list -----------------------------------------------------------------------------------
def test_the_list_shows_contact_shop_and_last_purchase(client_for, stan):
    shop = make_location(name="North")
    customer = make_customer(name="Anna", phone="+79123456789", location_id=shop.pk)
    make_order(customer=customer, ordered_at=NOON)
    make_order(customer=customer, ordered_at=NOON, status="cancelled")
    [row] = client_for(stan).get("/customers/").context["rows"]
    assert row.customer == customer
    shown = {cell.column.key: cell.value for cell in row.cells}
    assert shown["contact"].phone == "+79123456789"
    assert shown["location"] == shop
    assert (shown["orders"], shown["last_seen_at"]) == (1, NOON)


def test_analysts_see_contacts_masked(client_for, ana):
    customer = make_customer(email="kim@example.com", phone="+79123456789")
    browser = client_for(ana)
    for url in ("/customers/", f"/customers/{customer.ref}/"):
        text = page(browser, url)
        assert "kim@example.com" not in text
        assert "+79123456789" not in text
        assert "k•••@•••.com" in text


def test_the_list_is_filtered_by_stage_and_shop(client_for, stan):
    shop = make_location(code="north")
    here = make_customer(name="Here", location_id=shop.pk)
    loyal = make_customer(name="Loyal")
    Customer.objects.filter(pk=loyal.pk).update(stage="loyal")
    browser = client_for(stan)

    def names(**query):
        rows = browser.get("/customers/", query).context["rows"]
        return [row.customer.name for row in rows]

    assert names() == ["Loyal", "Here"]
    assert names(shop="north") == ["Here"]
    assert names(stage="loyal") == ["Loyal"]
    assert names(stage="loyal", shop="north") == []
    assert names(q="her", stage="lead") == ["Here"]
    assert names(q="her", stage="loyal") == []
    assert here.name in names(stage="nonsense", shop="nowhere")


def test_erased_customers_are_not_listed(client_for, stan):
    gone = make_customer()
    Customer.objects.filter(pk=gone.pk).update(erased_at=NOON)
    browser = client_for(stan)
    assert browser.get("/customers/").context["rows"] == []
    assert browser.get(f"/customers/{gone.ref}/").status_code == 404


def test_the_list_goes_on_page_by_page(client_for, stan):
    customers = [make_customer() for _number in range(51)]
    browser = client_for(stan)
    first = browser.get("/customers/")
    second = browser.get(first.context["next_url"])
    assert [row.customer for row in second.context["rows"]] == [customers[0]]
    assert second.context["next_url"] == ""


def test_nothing_found_reads_differently_from_nothing_yet(client_for, stan):
    browser = client_for(stan)
    assert "No customers yet" in page(browser, "/customers/")
    assert "Nobody found" in page(browser, "/customers/", q="zzz")


@pytest.mark.parametrize(
    "query",
    [
        *("q=%07", "q=%ED%A0%80", "q=%E2%80%AE", "q=%25", "q=_", "q=%5C"),
        *("cursor=%07", "shop=%07", "stage=%07", "q=" + "a" * 300),
    ],
)
def test_rubbish_in_the_address_shows_a_page(client_for, stan, query):
    make_customer(name="Anna")
    assert client_for(stan).get(f"/customers/?{query}").status_code == 200


@pytest.mark.parametrize("path", ["/customers/%07/", "/customers/nobody/", "/customers/a%20b/edit/",
                                  "/orders/nothing/", "/products/none/edit/"])  # fmt: skip
def test_strangers_answer_404(client_for, alice, path):
    assert client_for(alice).get(path).status_code == 404


def test_the_list_costs_the_same_for_many(client_for, stan, django_assert_max_num_queries):
    for number in range(12):
        make_order(customer=make_customer(phone=f"+7912345678{number % 10}", consent=True))
    browser = client_for(stan)
    for query in ({}, {"q": "customer"}, {"q": "customer", "stage": "lead"}):
        with django_assert_max_num_queries(10):
            assert browser.get("/customers/", query).status_code == 200


# --- Recording and changing ---------------------------------------------------------------------
def test_staff_record_a_customer_with_what_they_agreed_to(client_for, stan):
    make_location(code="north")
    sent = {
        "name": "Anna",
        "kind": "person",
        "email": "Anna@Example.com",
        "phone": "8 912 345-67-89",
        "language": "ru",
        "location": "north",
        "birth_date": "1990-02-28",
        "external_id": "C-1",
        "surveys": "on",
    }
    answer = client_for(stan).post(NEW, sent)
    customer = Customer.objects.get()
    assert answer.status_code == 302
    assert answer["Location"] == f"/customers/{customer.ref}/"
    assert (customer.name, customer.external_id, customer.location.code) == ("Anna", "C-1", "north")
    assert has_consent(customer.pk, "surveys")
    consent = ConsentEvent.objects.get()
    assert (consent.purpose, consent.source) == ("surveys", "staff")
    assert consent.actor == f"user:{stan.pk}"


def test_a_duplicate_external_id_is_an_error_of_its_field(client_for, stan):
    make_customer(external_id="C-1", name="First")
    answer = client_for(stan).post(NEW, {"name": "Anna", "kind": "person", "external_id": "C-1"})
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == ["external_id"]
    assert Customer.objects.get().name == "First"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "a\x00b"),
        ("name", "a\u202eb"),
        ("name", "x" * 256),
        ("email", "nonsense"),
        ("phone", "nobody"),
        ("phone", "١٢٣٤٥٦"),
        ("kind", "alien"),
        ("language", "xx"),
        ("birth_date", "31.12.1990"),
        ("birth_date", "0001-01-01"),
        ("location", "nowhere"),
        ("location", "a\x00"),
        ("external_id", "x" * 65),
    ],
)
def test_rubbish_is_an_error_of_its_field_and_writes_nothing(client_for, stan, field, value):
    sent = {"name": "Anna", "kind": "person"} | {field: value}
    answer = client_for(stan).post(NEW, sent)
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert not Customer.objects.exists()
    assert not Event.objects.filter(kind__startswith="customer.").exists()


def test_somebody_unknown_by_anything_is_refused(client_for, stan):
    answer = client_for(stan).post(NEW, {"kind": "person", "city": "Perm"})
    assert answer.status_code == 422
    assert not Customer.objects.exists()


def test_changes_are_saved_and_recorded(client_for, stan):
    customer = make_customer(name="Anna", email="a@example.com", city="Perm")
    browser = client_for(stan)
    form = browser.get(f"/customers/{customer.ref}/edit/").context["form"]
    sent = {name: form[name].value() or "" for name in form.fields} | {"city": "Omsk"}
    answer = browser.post(f"/customers/{customer.ref}/edit/", sent)
    assert answer.status_code == 302
    customer.refresh_from_db()
    assert customer.city == "Omsk"
    assert Event.objects.get(kind="customer.changed").codes == {"fields": ["city"]}
    assert ContactPoint.objects.get(customer=customer).normalized == "a@example.com"


# --- One customer -------------------------------------------------------------------------------
def test_consent_is_withdrawn_and_given_with_one_button_each(client_for, stan):
    customer = make_customer(consent=True)
    browser = client_for(stan)
    url = f"/customers/{customer.ref}/consent/"
    browser.post(url, {"purpose": "marketing", "is_granted": "no"})
    assert not has_consent(customer.pk, "marketing")
    assert has_consent(customer.pk, "surveys")
    browser.post(url, {"purpose": "marketing", "is_granted": "yes"})
    assert has_consent(customer.pk, "marketing")


@pytest.mark.parametrize("sent", [{}, {"purpose": "spam", "is_granted": "yes"},
                                  {"purpose": "marketing", "is_granted": "perhaps"}])  # fmt: skip
def test_consent_nobody_knows_changes_nothing(client_for, stan, sent):
    customer = make_customer()
    assert client_for(stan).post(f"/customers/{customer.ref}/consent/", sent).status_code == 302
    assert not ConsentEvent.objects.exists()


def test_the_head_of_the_page_shows_consent_and_rhythm(client_for, stan, clock):
    customer = make_customer(consent=True)
    for day in (1, 3, 5, 7):
        make_order(customer=customer, ordered_at=clock() - timedelta(days=day))
    shown = " ".join(page(client_for(stan), f"/customers/{customer.ref}/").split())
    head = shown[: shown.index('id="customer-tab"')]
    assert "1 day ago · usually every 2 days" in head
    assert "Offers and news" in head


def test_the_page_says_that_a_name_is_invented(client_for, stan):
    browser = client_for(stan)
    real, invented = make_customer(), make_customer(is_invented=True)
    assert "invented name" in page(browser, f"/customers/{invented.ref}/")
    assert "invented name" not in page(browser, f"/customers/{real.ref}/")


def test_the_page_leads_to_logging_a_complaint_for_this_customer(client_for, stan, ana):
    customer = make_customer()
    url = f"/customers/{customer.ref}/"
    wanted = f"/complaints/new/?customer={customer.ref}"
    assert wanted in page(client_for(stan), url)
    assert wanted not in page(client_for(ana), url)


def test_the_page_and_its_tabs_cost_at_most_twelve_queries(
    client_for, stan, django_assert_max_num_queries
):
    customer = make_customer(consent=True, phone="+79123456789")
    for _number in range(40):
        make_order(customer=customer, location_id=make_location().pk)
    browser = client_for(stan)
    for path in ("", "timeline/", "orders/"):
        with django_assert_max_num_queries(12):
            answer = browser.get(
                f"/customers/{customer.ref}/{path}", headers={"HX-Request": "true"}
            )
            assert answer.status_code == 200
