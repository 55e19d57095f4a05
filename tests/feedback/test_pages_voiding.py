"""Taking an answer out of the figures, on the page."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import User
from feedback import services
from feedback.models import Response, ResponseVoid
from tests.cast import NOON, make_customer

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

Browser = Callable[[User | None], Client]


@pytest.fixture
def answer() -> Response:
    return services.record_response(
        survey_id=services.ensure_nps_survey().pk,
        customer_id=make_customer(name="Kim").pk,
        score=0,
        happened_at=NOON,
        actor="system",
    )


def test_staff_take_an_answer_out_with_a_reason(
    answer: Response, stan: User, client_for: Browser
) -> None:
    browser = client_for(stan)
    assert f"/surveys/answers/{answer.ref}/void/" in browser.get("/surveys/").text

    page = browser.post(f"/surveys/answers/{answer.ref}/void/", {"reason": "A test"}, follow=True)

    void = ResponseVoid.objects.get()
    assert (void.response_id, void.reason, void.actor) == (answer.pk, "A test", f"user:{stan.pk}")
    assert "does not count" in page.text
    assert f"/surveys/answers/{answer.ref}/void/" not in page.text


def test_without_a_reason_it_goes_on_counting(
    answer: Response, stan: User, client_for: Browser
) -> None:
    page = client_for(stan).post(f"/surveys/answers/{answer.ref}/void/", {"reason": " "})

    assert page.status_code == 422
    assert not ResponseVoid.objects.exists()
