"""Several addresses and numbers of one customer."""

import pytest

from common.models import ChangeDetail, Event
from crm.models import ContactPoint
from crm.selectors.search import search_customers
from crm.services.contacts import ContactThere, TooManyContacts, add_contact, remove_contact
from tests.cast import ACTOR, NOON, make_customer

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
HAPPENING = {"happened_at": NOON, "actor": ACTOR}
API = "/api/v1/customers/"


def phones(customer):
    return {
        point.normalized: point.is_primary
        for point in ContactPoint.objects.filter(customer=customer, kind="phone")
    }


def post(browser, customer, **sent):
    return browser.post(f"/customers/{customer.ref}/reached-by/", sent, headers=HTMX)


def test_a_second_number_is_normalised_and_finds_the_customer(client_for, stan):
    customer = make_customer(phone="+79123456789")
    answer = post(client_for(stan), customer, kind="phone", value="8 (922) 345-67-89")
    assert answer.status_code == 200
    assert "+79223456789" in answer.text
    assert phones(customer) == {"+79123456789": True, "+79223456789": False}
    assert search_customers("79223456789") == [customer]
    event = Event.objects.get(kind="contact.added")
    assert event.codes == {"kind": "phone"}


@pytest.mark.parametrize("form", ["+7 912 345 67 89", "8 912 345 67 89", "007 912 345-67-89"])
def test_the_same_number_in_another_form_is_refused(client_for, stan, form):
    customer = make_customer(phone="+79123456789")
    answer = post(client_for(stan), customer, kind="phone", value=form)
    assert answer.status_code == 422
    assert "has it already" in answer.text
    assert phones(customer) == {"+79123456789": True}


@pytest.mark.parametrize(
    "sent", [{"kind": "phone", "value": "nobody"}, {"kind": "email", "value": "x"},
             {"kind": "pigeon", "value": "1"}, {"kind": "phone", "value": ""}]
)  # fmt: skip
def test_rubbish_is_refused_and_writes_nothing(client_for, stan, sent):
    customer = make_customer(email="")
    assert post(client_for(stan), customer, **sent).status_code == 422
    assert not customer.contact_points.exists()


def test_another_one_becomes_the_first(client_for, stan):
    customer = make_customer(phone="+79123456789")
    add_contact(customer_id=customer.pk, kind="phone", value="+79223456789", **HAPPENING)
    browser = client_for(stan)
    sent = {"action": "primary", "kind": "phone", "value": "+79223456789"}
    post(browser, customer, **sent)
    post(browser, customer, **sent)
    assert phones(customer) == {"+79123456789": False, "+79223456789": True}
    assert Event.objects.filter(kind="contact.preferred").count() == 1


def test_a_removed_one_leaves_its_place_and_can_be_taken_back(client_for, stan):
    customer = make_customer(phone="+79123456789")
    add_contact(customer_id=customer.pk, kind="phone", value="+79223456789", **HAPPENING)
    browser = client_for(stan)
    answer = post(browser, customer, action="remove", kind="phone", value="+79123456789")
    assert phones(customer) == {"+79223456789": True}
    assert search_customers("79123456789") == []
    assert "79123456789" not in str(Event.objects.get(kind="contact.removed").codes)
    token = answer.text.split('name="token" value="')[1].split('"')[0]
    browser.post("/undo/", {"token": token})
    assert phones(customer) == {"+79123456789": True, "+79223456789": False}


def test_what_was_removed_and_erased_does_not_come_back():
    from common.errors import NotFound
    from crm.services.contacts import restore_contact

    customer = make_customer(phone="+79123456789")
    event_id = remove_contact(
        customer_id=customer.pk, kind="phone", normalized="+79123456789", **HAPPENING
    )
    ChangeDetail.objects.filter(event_id=event_id).delete()
    with pytest.raises(NotFound):
        restore_contact(event_id=event_id, **HAPPENING)
    assert phones(customer) == {}


def test_what_a_customer_does_not_have_is_not_found(client_for, stan):
    customer, other = make_customer(), make_customer(phone="+79123456789")
    answer = post(client_for(stan), customer, action="remove", kind="phone", value="+79123456789")
    assert answer.status_code == 404
    assert phones(other) == {"+79123456789": True}


def test_twenty_are_enough():
    customer = make_customer()
    for number in range(20):
        add_contact(customer_id=customer.pk, kind="phone", value=f"+791234567{number}", **HAPPENING)
    with pytest.raises(TooManyContacts):
        add_contact(customer_id=customer.pk, kind="phone", value="+79999999999", **HAPPENING)
    with pytest.raises(ContactThere):
        add_contact(customer_id=customer.pk, kind="phone", value="+7912345670", **HAPPENING)
    assert len(phones(customer)) == 20


# --- API ----------------------------------------------------------------------------------------
def test_the_api_replaces_all_of_a_kind_the_first_one_primary(api_client):
    customer = make_customer(phone="+79123456789")
    api = api_client("staff")
    url = f"{API}{customer.ref}/"
    told = api.patch(url, {"phones": ["8 922 345-67-89", "+79123456789"]}, format="json").json()
    assert told["phones"] == ["+79223456789", "+79123456789"]
    assert told["phone"] == "+79223456789"
    assert phones(customer) == {"+79223456789": True, "+79123456789": False}
    before = Event.objects.count()
    api.patch(url, {"phones": ["+79223456789", "+79123456789"]}, format="json")
    assert Event.objects.count() == before
    assert api.patch(url, {"phones": []}, format="json").json()["phones"] == []
    assert phones(customer) == {}


def test_the_api_refuses_one_and_all_at_once(api_client):
    customer = make_customer(phone="+79123456789")
    sent = {"phone": "+79223456789", "phones": ["+79323456789"]}
    answer = api_client().patch(f"{API}{customer.ref}/", sent, format="json")
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["phones"]
    assert phones(customer) == {"+79123456789": True}


def test_analysts_get_all_of_them_masked(api_client):
    customer = make_customer(email="kim@example.com", phone="+79123456789")
    add_contact(customer_id=customer.pk, kind="phone", value="+79223456700", **HAPPENING)
    told = api_client("analyst").get(f"{API}{customer.ref}/").json()
    assert told["phones"] == ["•••89", "•••00"]
    assert told["emails"] == ["k•••@•••.com"]
