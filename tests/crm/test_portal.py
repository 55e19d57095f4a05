"""``/me/``: the customers' own page shows only what is theirs."""

import pytest

from common.models import Event
from crm.models import ConsentEvent
from crm.selectors import has_consent

pytestmark = pytest.mark.django_db

URL = "/me/"


def test_nobody_is_sent_to_sign_in(client_for):
    assert client_for(None).get(URL).status_code == 302


def test_a_customer_is_greeted_by_name_and_sees_nobody_else(client_for, kim, pat):
    text = client_for(kim).get(URL).content.decode()
    assert "Hello, Kim" in text
    assert "Pat" not in text
    assert pat.customer.ref not in text


def test_a_colleague_without_a_customer_record_is_told_so(client_for, stan):
    answer = client_for(stan).get(URL)
    assert answer.status_code == 200
    assert "There is no customer with your sign-in" in answer.content.decode()


def test_a_login_without_a_customer_record_cannot_give_consent(client_for, stan):
    sent = {"purpose": "marketing", "is_granted": "yes"}
    assert client_for(stan).post("/me/consent/", sent).status_code == 403
    assert not ConsentEvent.objects.exists()


def test_withdrawing_takes_one_press_like_giving(client_for, kim):
    browser = client_for(kim)
    browser.post("/me/consent/", {"purpose": "marketing", "is_granted": "no"})
    assert not has_consent(kim.customer.pk, "marketing")
    withdrawn = ConsentEvent.objects.get(is_granted=False)
    assert (withdrawn.source, withdrawn.actor) == ("portal", f"customer:{kim.customer.pk}")
    browser.post("/me/consent/", {"purpose": "marketing", "is_granted": "yes"})
    assert has_consent(kim.customer.pk, "marketing")


def test_consent_of_one_customer_leaves_the_other_alone(client_for, kim, pat):
    client_for(kim).post("/me/consent/", {"purpose": "surveys", "is_granted": "no"})
    assert has_consent(pat.customer.pk, "surveys")


@pytest.mark.parametrize("sent", [{}, {"purpose": "x", "is_granted": "yes"},
                                  {"purpose": "surveys"}])  # fmt: skip
def test_consent_nobody_knows_is_refused(client_for, kim, sent):
    events = ConsentEvent.objects.count()
    assert client_for(kim).post("/me/consent/", sent).status_code == 400
    assert ConsentEvent.objects.count() == events


def test_a_chosen_language_holds_for_pages_and_emails(client_for, kim):
    browser = client_for(kim)
    browser.post("/me/language/", {"language": "ru"})
    kim.refresh_from_db()
    assert (kim.language, kim.customer.language) == ("ru", "ru")
    assert '<html lang="ru"' in browser.get(URL).content.decode()


def test_a_language_nobody_speaks_here_is_refused(client_for, kim):
    events = Event.objects.count()
    assert client_for(kim).post("/me/language/", {"language": "xx"}).status_code == 400
    kim.refresh_from_db()
    assert (kim.language, kim.customer.language) == ("", "en")
    assert Event.objects.count() == events


def test_the_page_costs_at_most_twelve_queries(client_for, kim, django_assert_max_num_queries):
    browser = client_for(kim)
    with django_assert_max_num_queries(12):
        assert browser.get(URL).status_code == 200
