"""Numbers of what was recorded lead to exactly the customers behind them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from crm.models import CancelReason, CustomerTag, Task
from crm.services.cancel_requests import open_cancel_request
from feedback.models import Complaint, Response, ResponseVoid, Survey
from tests.budget import assert_query_budget
from tests.cast import ACTOR
from tests.metrics.snapshots import make_figure, make_run
from tests.metrics.test_pages import names, text
from tests.metrics.worlds import customers

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
AUTUMN = datetime(2025, 11, 5, 12, tzinfo=UTC)
WINTER = datetime(2026, 1, 1, 0, tzinfo=UTC)  # the first moment of the next quarter
LIST = "/metrics/recorded/people/"


@pytest.fixture
def people() -> list[Any]:
    """Four of them; the second record is the first one's."""
    found = customers(5)
    found[1].person = found[0]
    found[1].save(update_fields=["person"])
    run = make_run()
    for key in ("complaint_rate", "nps", "save_rate"):
        make_figure(run, key, "2025-Q4", numerator=1, denominator=2)
    return found


def complain(person: Any, at: datetime = AUTUMN, **fields: Any) -> Complaint:
    return Complaint.objects.create(
        customer=person, opened_at=at, recorded_at=at, source="staff", **fields
    )


def leave(person: Any, reason: CancelReason | None, outcome: str, at: datetime = AUTUMN) -> None:
    open_cancel_request(
        customer_id=person.pk,
        reason_id=reason.pk if reason else None,
        requested_at=at,
        outcome=outcome,
        happened_at=at,
        actor=ACTOR,
    )


def test_a_theme_leads_to_the_persons_who_complained(browser: Client, people: list[Any]) -> None:
    one, twin, two, three, _four = people
    for person in (one, twin, two, None):
        complain(person, category="delivery")
    complain(three, category="price")
    complain(three, WINTER - timedelta(microseconds=1))
    complain(three, WINTER, category="delivery")
    withdrawn = complain(three, category="delivery")
    withdrawn.events.create(to_state="withdrawn", actor="t", occurred_at=AUTUMN, recorded_at=AUTUMN)
    words = text(browser, "/metrics/complaint-figures/")
    assert "Delivery 4 2 0 4" in words  # complaints, customers, serious, not resolved
    assert "Not said 1 1 0 1" in words
    url = f"{LIST}?of=theme&code=delivery&period=2025-Q4"
    assert url.replace("&", "&amp;") in browser.get("/metrics/complaint-figures/").content.decode()
    assert set(names(browser, url)) == {str(one), str(two)}
    assert names(browser, f"{LIST}?of=theme&code=&period=2025-Q4") == [str(three)]
    assert set(names(browser, f"{LIST}?of=theme&code=delivery")) == {str(one), str(two), str(three)}
    assert "Complaints · Q4 2025" in text(browser, url)


def test_a_survey_leads_to_the_persons_who_answered(browser: Client, people: list[Any]) -> None:
    one, twin, two, three, four = people
    kept = {"kind": "nps", "created_at": AUTUMN}
    surveys = [
        Survey.objects.create(key="after", version=1, name="After a visit", **kept),
        Survey.objects.create(key="after", version=2, name="After a visit", **kept),
        Survey.objects.create(key="spring", name="In spring", **kept),
    ]

    def answer(person: Any, survey: Survey, at: datetime = AUTUMN) -> Response:
        return Response.objects.create(
            survey=survey, customer=person, kind="nps", score=9, answered_at=at, recorded_at=at
        )

    for person, survey in ((one, 0), (twin, 1), (two, 1), (None, 1), (three, 2)):
        answer(person, surveys[survey])
    answer(four, surveys[0], WINTER)
    void = answer(four, surveys[0])
    ResponseVoid.objects.create(response=void, reason="a test", actor="t", voided_at=AUTUMN)
    assert "After a visit Would recommend (NPS) 4 2 9.00" in text(browser, "/metrics/voice/")
    url = f"{LIST}?of=survey&code=after&part=nps&period=2025-Q4"
    assert url.replace("&", "&amp;") in browser.get("/metrics/voice/").content.decode()
    assert set(names(browser, url)) == {str(one), str(two)}
    assert "After a visit" in text(browser, url)


def test_a_reason_to_leave_leads_to_who_gave_it_by_outcome(
    browser: Client, people: list[Any]
) -> None:
    one, twin, two, three, _four = people
    moved = CancelReason.objects.create(code="moved", names={"en": "Moved away"}, position=90)
    leave(one, moved, "open")
    leave(twin, moved, "stayed", AUTUMN + timedelta(days=1))
    leave(two, moved, "left")
    leave(three, None, "left")
    leave(three, moved, "left", WINTER)
    words = text(browser, "/metrics/save/")
    assert "Moved away 2 1 1 1" in words  # persons: asked, stayed, left, not decided
    assert "Not said 1 0 1 0" in words
    url = f"{LIST}?of=reason&code=moved&part=&period=2025-Q4"
    assert url.replace("&", "&amp;") in browser.get("/metrics/save/").content.decode()
    found = {
        part: names(browser, f"{LIST}?of=reason&code=moved&part={part}&period=2025-Q4")
        for part in ("", "stayed", "left", "open")
    }
    assert set(found[""]) == {str(one), str(two)}
    assert (found["stayed"], found["left"], found["open"]) == ([str(one)], [str(two)], [str(one)])
    assert names(browser, f"{LIST}?of=reason&part=left&period=2025-Q4") == [str(three)]


def test_they_are_tagged_given_tasks_and_taken_out_as_a_file(
    browser: Client, people: list[Any]
) -> None:
    one, twin, two, *_rest = people
    for person in (one, twin, two):
        complain(person, category="service")
    query = "of=theme&code=service&period=2025-Q4"
    page = browser.get(f"{LIST}?{query}").content.decode()
    assert "all 2 of the list" in page
    asked = {"action": "tag", "tag": "call", "everybody": "1", "query": query, "here": LIST}
    browser.post("/metrics/people/recorded_people/bulk/", asked)
    assert set(CustomerTag.objects.values_list("customer_id", flat=True)) == {one.pk, two.pk}
    task = {"action": "task", "title": "Call them", "due_at": "2030-01-02T10:00"}
    browser.post("/metrics/people/recorded_people/bulk/", asked | task)
    assert set(Task.objects.values_list("customer_id", flat=True)) == {one.pk, two.pk}
    answer = browser.post("/exports/recorded_people/", {"query": query, "format": "csv"})
    lines = b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 1 + 2


@pytest.mark.parametrize(
    "query",
    [
        "",
        "of=nonsense",
        "of=theme&code=nonsense",
        "of=theme&code=delivery&part=high",
        "of=theme&code=delivery&period=yesterday",
        "of=survey&code=nonsense&part=nps",
        "of=survey&code=after",
        "of=reason&code=nonsense",
        "of=reason&part=nonsense",
    ],
)
def test_what_is_not_there_is_not_found(browser: Client, people: list[Any], query: str) -> None:
    assert browser.get(f"{LIST}?{query}").status_code == 404


def test_the_list_stays_within_its_queries(browser: Client, people: list[Any]) -> None:
    for person in people:
        complain(person, category="price")
    assert_query_budget(browser, f"{LIST}?of=theme&code=price&period=2025-Q4")
