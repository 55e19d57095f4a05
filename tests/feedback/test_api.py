"""The API of complaints and answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from feedback.models import Complaint, Response
from tests.cast import make_customer, make_order

pytestmark = pytest.mark.django_db
Program = Callable[..., APIClient]


def test_a_complaint_is_recorded_resolved_and_closed(api_client: Program) -> None:
    customer = make_customer(external_id="c-1")
    order = make_order(customer=customer, external_id="o-1")
    program = api_client("staff")

    answer = program.post(
        "/api/v1/complaints/",
        {"customer": "c-1", "order": "o-1", "text": "Broken", "category": "quality"},
        format="json",
    )
    assert answer.status_code == 201
    assert answer.json()["customer"] == customer.ref
    assert answer.json()["order"] == order.ref

    url = f"/api/v1/complaints/{answer.json()['ref']}/"
    assert program.patch(url, {"state": "closed"}, format="json").status_code == 409
    body = {"state": "resolved", "resolution": "Replaced"}
    assert program.patch(url, body, format="json").json()["state"] == "resolved"
    assert program.patch(url, {"state": "closed"}, format="json").json()["state"] == "closed"


def test_the_same_key_records_one_complaint(api_client: Program) -> None:
    program = api_client("staff")
    answers = [
        program.post(
            "/api/v1/complaints/",
            {"text": "Broken"},
            format="json",
            headers={"Idempotency-Key": "k1"},
        ).json()
        for _attempt in range(2)
    ]

    assert answers[0] == answers[1]
    assert Complaint.objects.count() == 1


def test_field_errors_are_problem_details(api_client: Program) -> None:
    answer = api_client("staff").post(
        "/api/v1/complaints/", {"text": "", "customer": "nobody", "category": "x"}, format="json"
    )

    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["errors"].keys() == {"text", "customer", "category"}
    assert Complaint.objects.count() == 0


def test_analysts_read_without_words_and_write_nothing(api_client: Program) -> None:
    api_client("staff").post("/api/v1/complaints/", {"text": "SECRET"}, format="json")
    program = api_client("analyst")

    assert program.get("/api/v1/complaints/").json()["results"][0]["text"] is None
    assert program.post("/api/v1/complaints/", {"text": "x"}, format="json").status_code == 403
    assert Complaint.objects.count() == 1


def test_an_answer_given_by_telephone_is_recorded_once(api_client: Program) -> None:
    make_customer(external_id="c-1")
    program = api_client("staff")
    body = {"customer": "c-1", "score": 9, "external_id": "call-7", "comment": "Fine"}

    first = program.post("/api/v1/survey-responses/", body, format="json")
    second = program.post("/api/v1/survey-responses/", body, format="json")

    assert (first.status_code, second.status_code) == (201, 409)
    assert second.json()["code"] == "already_answered"
    assert Response.objects.count() == 1


@pytest.mark.parametrize("score", [11, -1, "ten", None, 5.5])
def test_a_score_off_the_scale_is_refused(api_client: Program, score: object) -> None:
    make_customer(external_id="c-1")
    answer = api_client("staff").post(
        "/api/v1/survey-responses/", {"customer": "c-1", "score": score}, format="json"
    )

    assert answer.status_code == 400
    assert answer.json()["errors"].keys() == {"score"}
    assert Response.objects.count() == 0


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_moment_outside_of_all_calendars_is_refused_as_a_filter(
    api_client: Program, moment: str
) -> None:
    answer = api_client("staff").get("/api/v1/complaints/", {"opened_since": moment})
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["opened_since"]
