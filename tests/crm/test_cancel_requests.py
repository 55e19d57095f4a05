"""Customers who ask to leave: reason, offer, outcome; and offers to anybody."""

from __future__ import annotations

from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.core.cache import caches
from django.utils import translation

from common.errors import DomainError
from common.models import Event
from common.registry import event_renderers
from crm.models import CancelDecision, CancelReason, CancelRequest, Offer, OfferAnswer
from crm.privacy.leaving import erase_cancel_requests, erase_offers
from crm.selectors.cancel_requests import (
    list_cancel_requests,
    list_reasons,
    reason_name,
)
from crm.services.cancel_reasons import ReasonTaken, record_reason, update_reason
from crm.services.cancel_requests import (
    CancelRequestIdTaken,
    OfferElsewhere,
    add_offer,
    decide_cancel_request,
    open_cancel_request,
)
from crm.services.offers import AnswerBeforeOffer, answer_offer, record_offer
from tests.cast import ACTOR, NOON, make_customer, make_product

pytestmark = pytest.mark.django_db
HAPPENING = {"happened_at": NOON, "actor": ACTOR}
DAY = timedelta(days=1)


def reason(code: str = "dear", **fields: Any) -> CancelReason:
    names = {"en": "Too dear", "ru": "Дорого", "zh-hans": "太贵"}
    return record_reason(code=code, **({"names": names} | HAPPENING | fields))


def ask(customer: Any, at: datetime = NOON, **fields: Any) -> CancelRequest:
    return open_cancel_request(
        customer_id=customer.pk, requested_at=at, **({"happened_at": at, "actor": ACTOR} | fields)
    )


def test_a_ready_list_of_reasons_is_installed_in_three_languages() -> None:
    # Transactional tests before this one emptied what the migration installed.
    import_module("crm.migrations.0009_ready_cancel_reasons").install(apps, None)

    ready = list(list_reasons())
    assert len(ready) == 8
    assert all(set(one.names) == {"en", "ru", "zh-hans"} for one in ready)


def test_a_reason_reads_in_the_readers_language_and_can_be_taken_off_the_list() -> None:
    one = reason()
    for language, name in (("ru", "Дорого"), ("zh-hans", "太贵"), ("en", "Too dear")):
        with translation.override(language):
            assert reason_name(one) == name
    with pytest.raises(ReasonTaken):
        reason()
    update_reason(
        reason_id=one.pk, names={"en": "Price"}, position=3, is_archived=True, **HAPPENING
    )
    assert one.code not in list_reasons().values_list("code", flat=True)
    assert one.code in list_reasons(with_archived=True).values_list("code", flat=True)


@pytest.mark.parametrize(("language", "name"), [("en", "Too dear"), ("ru", "Дорого")])
def test_the_timeline_says_the_reason_in_words_not_by_its_code(language: str, name: str) -> None:
    caches["memory"].clear()
    ask(make_customer(), reason_id=reason().pk)
    told = Event.objects.get(kind="cancel_request.opened")
    with translation.override(language):
        assert event_renderers[told.kind].describe(told.codes) == name


def test_reason_words_offer_answer_and_outcome_are_taken_down_at_once() -> None:
    customer = make_customer()
    request = ask(
        customer,
        reason_id=reason().pk,
        text="Too far to walk.",
        offer={"text": "Free delivery", "state": "accepted"},
        outcome="stayed",
        external_id="CR-1",
    )
    assert (request.outcome, request.offer.state, request.offer.text) == (
        "stayed",
        "accepted",
        "Free delivery",
    )
    kinds = ["cancel_request.opened", "offer.made", "offer.accepted", "cancel_request.decided"]
    events = Event.objects.filter(customer_id=customer.pk, kind__in=kinds).order_by("id")
    assert [event.kind for event in events] == kinds
    assert events[0].codes == {"reason": "dear"}
    assert "far" not in str([event.codes for event in events])
    with pytest.raises(CancelRequestIdTaken):
        ask(customer, external_id="CR-1")
    with pytest.raises(OfferElsewhere):
        add_offer(request_id=request.pk, made_at=NOON, text="More", **HAPPENING)


def test_every_answer_and_every_outcome_is_kept() -> None:
    request = ask(make_customer(), offer={"text": "A month free"})
    for outcome in ("stayed", "stayed", "left", "open"):
        decide_cancel_request(request_id=request.pk, outcome=outcome, decided_at=NOON, **HAPPENING)
    for state in ("accepted", "declined", "made"):
        answer_offer(offer_id=request.offer_id, state=state, answered_at=NOON, **HAPPENING)
    request.refresh_from_db()
    assert (request.outcome, request.decided_at) == ("open", None)
    outcomes = CancelDecision.objects.order_by("id").values_list("outcome", flat=True)
    assert list(outcomes) == ["stayed", "left", "open"]
    answers = OfferAnswer.objects.order_by("id").values_list("state", flat=True)
    assert list(answers) == ["accepted", "declined", "made"]


@pytest.mark.parametrize(
    "fields",
    [
        {"offer": {"text": ""}},
        {"outcome": "gone"},
        {"outcome": "stayed", "decided_at": NOON - DAY},
        {"offer": {"text": "Free", "state": "maybe"}},
        {"offer": {"text": "Free", "state": "accepted", "answered_at": NOON - DAY}},
    ],
)
def test_nonsense_is_refused_and_writes_nothing(fields: dict[str, Any]) -> None:
    customer = make_customer()
    if fields.get("offer") == {"text": ""}:
        with pytest.raises(DomainError):
            record_offer(customer_id=customer.pk, made_at=NOON, **HAPPENING)
    else:
        with pytest.raises(DomainError):
            ask(customer, **fields)
    assert not CancelRequest.objects.exists()
    assert not Offer.objects.exists()
    assert not Event.objects.filter(kind__startswith="offer.").exists()


def test_requests_of_ninety_days_that_nobody_decided_are_due() -> None:
    customer = make_customer()
    young, old, decided = (ask(customer, NOON + n * DAY) for n in (1, 0, -1))
    decide_cancel_request(request_id=decided.pk, outcome="left", decided_at=NOON, **HAPPENING)
    due = list_cancel_requests(due_at=NOON + 90 * DAY)
    assert list(due) == [old]
    assert young in list_cancel_requests(due_at=NOON + 91 * DAY)


def test_erasing_forgets_the_words_and_keeps_the_figures() -> None:
    customer = make_customer()
    ask(customer, text="I hate you", offer={"text": "Free"}, outcome="left", external_id="CR-1")
    assert erase_offers([customer.pk]) == erase_cancel_requests([customer.pk]) == 1
    request = CancelRequest.objects.select_related("offer").get()
    assert (request.text, request.external_id, request.offer.text) == ("", None, "")
    assert request.outcome == "left"


@pytest.mark.any_database
def test_staff_take_down_a_request_offer_something_and_decide(
    client_for: Any, stan: Any, ana: Any
) -> None:
    customer = make_customer(external_id="C-1", name="Anna")
    make_product(sku="tea", name="Green tea")
    dear = reason()
    browser = client_for(stan)
    new = "/cancel-requests/new/"
    assert browser.get(new, {"customer": customer.ref}).status_code == 200
    sent = {
        "customer": "C-1",
        "requested_at": "2026-03-02T12:00",
        "reason": dear.code,
        "text": "Too far to walk",
        "outcome": "open",
    }
    answer = browser.post(new, sent)
    request = CancelRequest.objects.get()
    assert answer["Location"] == f"/cancel-requests/{request.ref}/"
    url = answer["Location"]
    assert browser.post(f"{url}offer/", {"offer_text": ""}).status_code == 422
    browser.post(f"{url}offer/", {"offer_sku": "tea", "offer_amount": "5"})
    browser.post(f"{url}decide/", {"outcome": "stayed"})
    browser.post(f"{url}decide/", {"outcome": "perhaps"})
    request.refresh_from_db()
    assert (request.outcome, request.offer.product.sku, request.offer.amount) == (
        "stayed",
        "tea",
        5,
    )

    page = browser.get(url).text
    assert "Too far to walk" in page
    assert "Green tea" in page
    assert "Too far to walk" not in client_for(ana).get(url).text  # analysts read no words
    tab = browser.get(f"/customers/{customer.ref}/offers/").text
    assert "Too dear" in tab
    assert "Green tea" in tab
    assert browser.get("/cancel-requests/", {"reason": "dear"}).context["requests"]
    assert not browser.get("/cancel-requests/", {"outcome": "left"}).context["requests"]
    for bad in ({"customer": "nobody"}, {"requested_at": "2199-01-01T00:00"}, {"reason": "x"}):
        assert browser.post(new, sent | bad).status_code == 422
    assert CancelRequest.objects.count() == 1


@pytest.mark.any_database
def test_an_offer_is_made_and_answered_with_one_press_each(client_for: Any, stan: Any) -> None:
    make_customer(external_id="C-1")
    browser = client_for(stan)
    sent = {"customer": "C-1", "made_at": "2026-03-02T12:00", "offer_text": "A month free"}
    assert browser.post("/offers/new/", sent | {"offer_text": ""}).status_code == 422
    browser.post("/offers/new/", sent)
    offer = Offer.objects.get()
    place = f"/offers/{offer.ref}/answer/"
    assert browser.post(place, {"state": "accepted", "next": "/offers/"})["Location"] == "/offers/"
    offer.refresh_from_db()
    assert offer.state == "accepted"
    away = browser.post(place, {"state": "made", "next": "//evil.example/"})["Location"]
    assert away == f"/customers/{offer.customer.ref}/offers/"
    assert [one.state for one in browser.get("/offers/").context["offers"]] == ["made"]


@pytest.mark.any_database
def test_managers_keep_the_list_of_reasons(client_for: Any, mara: Any, stan: Any) -> None:
    browser = client_for(mara)
    page = "/cancel-requests/reasons/new/"
    names = {"name_en": "Noise", "name_ru": "Шум", "name_zh_hans": "噪音"}
    assert browser.post(page, {"code": "No Ise", "position": 5} | names).status_code == 422
    assert browser.post(page, {"code": "noise", "position": 5}).status_code == 422
    browser.post(page, {"code": "noise", "position": 5} | names)
    noise = CancelReason.objects.get(code="noise")
    assert noise.names == {"en": "Noise", "ru": "Шум", "zh-hans": "噪音"}
    browser.post("/cancel-requests/reasons/noise/", {"position": 1, "is_archived": "on"} | names)
    noise.refresh_from_db()
    assert noise.archived_at is not None
    assert client_for(stan).get("/cancel-requests/reasons/").status_code == 403


@pytest.mark.any_database
def test_programs_open_decide_and_list_requests_and_offers(api_client: Any) -> None:
    make_customer(external_id="C-1")
    make_product(sku="tea")
    reason()
    api, url = api_client("staff"), "/api/v1/cancel-requests/"
    body = {
        "external_id": "CR-1",
        "customer": "C-1",
        "requested_at": "2026-03-02T12:00:00Z",
        "reason": "dear",
        "text": "Too far",
        "offer": {"sku": "tea", "amount": "5", "state": "declined"},
    }
    answer = api.post(url, body, format="json", headers={"Idempotency-Key": "k"})
    assert answer.status_code == 201, answer.content
    told = answer.json()
    assert (told["reason"], told["outcome"], told["offer_state"]) == ("dear", "open", "declined")
    assert told["matures_at"] == "2026-05-31T12:00:00Z"
    again = api.post(url, body, format="json", headers={"Idempotency-Key": "k"})
    assert again.json() == told
    assert api.post(url, body, format="json").status_code == 409
    one = f"{url}CR-1/"
    decided = api.patch(
        one, {"outcome": "left", "decided_at": "2026-03-03T12:00:00Z"}, format="json"
    )
    assert (decided.status_code, decided.json()["outcome"]) == (200, "left")
    assert api_client("analyst").get(one).json()["text"] is None
    assert api.get(url, {"outcome": "left", "customer": "C-1"}).json()["results"]
    assert not api.get(url, {"due": "true"}).json()["results"]

    offers = "/api/v1/offers/"
    made = api.post(offers, {"customer": "C-1", "text": "A month"}, format="json").json()
    answered = api.patch(f"{offers}{made['ref']}/", {"state": "accepted"}, format="json").json()
    assert (made["state"], answered["state"]) == ("made", "accepted")
    assert api_client("analyst").get(f"{offers}{made['ref']}/").json()["text"] is None
    assert len(api.get(offers, {"state": "accepted"}).json()["results"]) == 1
    for path, bad in (
        (url, {"customer": "nobody"}),
        (url, {"customer": "C-1", "reason": "unknown"}),
        (url, {"customer": "C-1", "requested_at": "2199-01-01"}),
        (offers, {"customer": "C-1"}),
        (offers, {"customer": "C-1", "sku": "unknown"}),
        (offers, {"customer": "C-1", "text": "x", "amount": "-1"}),
    ):
        assert api.post(path, bad, format="json").status_code == 400, bad
    assert (CancelRequest.objects.count(), Offer.objects.count()) == (1, 2)


def test_an_answer_before_the_offer_is_refused() -> None:
    offer = record_offer(customer_id=make_customer().pk, text="x", made_at=NOON, **HAPPENING)
    with pytest.raises(AnswerBeforeOffer):
        answer_offer(offer_id=offer.pk, state="accepted", answered_at=NOON - DAY, **HAPPENING)
    assert not OfferAnswer.objects.exists()
