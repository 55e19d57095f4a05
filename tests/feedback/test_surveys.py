"""Asking customers and taking their answers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction
from django.test import Client

from common.errors import NotFound
from common.models import Event
from feedback import services
from feedback.models import Invitation, Response, ResponseComment
from feedback.tokens import form_nonce, get_invitation, invitation_token
from tests.cast import NOON, make_customer

pytestmark = pytest.mark.django_db


@pytest.fixture
def invitation() -> Invitation:
    customer = make_customer(name="Kim", language="en")
    return services.invite_customer(
        survey_id=services.ensure_nps_survey().pk,
        customer_id=customer.pk,
        trigger_key="order:1",
        happened_at=services.surveys.now(),
    )


def path_of(invitation: Invitation) -> str:
    return f"/s/{invitation_token(invitation)}/"


def answer(invitation: Invitation, **data: str) -> dict[str, str]:
    return {"nonce": form_nonce(invitation), "score": "9", "comment": ""} | data


def test_the_same_trigger_invites_once(invitation: Invitation) -> None:
    again = services.invite_customer(
        survey_id=invitation.survey_id,
        customer_id=invitation.customer_id,
        trigger_key="order:1",
        happened_at=NOON,
    )

    assert again.pk == invitation.pk
    assert Invitation.objects.count() == 1


def test_the_first_invitation_freezes_the_survey(invitation: Invitation) -> None:
    invitation.survey.refresh_from_db()

    assert invitation.survey.frozen_at == invitation.invited_at


def test_the_link_leads_back_to_the_invitation(invitation: Invitation) -> None:
    assert get_invitation(invitation_token(invitation)) == invitation


@pytest.mark.parametrize("change", ["x", "\u00e9", ""])
def test_a_changed_link_leads_nowhere(invitation: Invitation, change: str) -> None:
    with pytest.raises(NotFound):
        get_invitation(invitation_token(invitation)[:-1] + change)


def test_opening_the_link_never_answers(client: Client, invitation: Invitation) -> None:
    page = client.get(path_of(invitation) + "?score=10")

    assert page.status_code == 200
    assert Response.objects.count() == 0
    invitation.refresh_from_db()
    assert invitation.state == Invitation.State.OPENED


def test_a_score_in_the_link_only_preselects(client: Client, invitation: Invitation) -> None:
    page = client.get(path_of(invitation) + "?score=7")

    assert [number for number, is_chosen in page.context["scores"] if is_chosen] == ["7"]


def test_an_answer_needs_no_cookie(invitation: Invitation) -> None:
    page = Client(enforce_csrf_checks=True).post(
        path_of(invitation), answer(invitation, score="10", comment="Quick and kind")
    )

    assert page.status_code == 200
    response = Response.objects.get()
    assert (response.score, response.customer_id) == (10, invitation.customer_id)
    assert response.comment.text == "Quick and kind"


def test_the_first_answer_stands(client: Client, invitation: Invitation) -> None:
    client.post(path_of(invitation), answer(invitation, score="3"))
    second = client.post(path_of(invitation), answer(invitation, score="10"))

    assert second.status_code == 409
    assert Response.objects.get().score == 3


def test_a_form_we_did_not_render_is_refused(client: Client, invitation: Invitation) -> None:
    page = client.post(path_of(invitation), answer(invitation, nonce="made-up", comment="Kept"))

    assert page.status_code == 400
    assert "Kept" in page.content.decode()
    assert Response.objects.count() == 0


@pytest.mark.parametrize("score", ["", "11", "-1", "ten", "９", "5.5", "\x00"])
def test_a_score_off_the_scale_is_refused(
    client: Client, invitation: Invitation, score: str
) -> None:
    page = client.post(path_of(invitation), answer(invitation, score=score))

    assert page.status_code == 422
    assert Response.objects.count() == 0


@pytest.mark.parametrize("comment", ["a\x00b", "\u202eevil", "x" * 4001])
def test_a_comment_that_can_not_be_kept_is_refused(
    client: Client, invitation: Invitation, comment: str
) -> None:
    page = client.post(path_of(invitation), answer(invitation, comment=comment))

    assert page.status_code == 422
    assert page.context["form"].errors.keys() == {"comment"}
    assert Response.objects.count() == 0


def test_a_late_answer_is_refused(client: Client, invitation: Invitation) -> None:
    Invitation.objects.update(expires_at=invitation.invited_at)

    assert client.get(path_of(invitation)).status_code == 410
    assert client.post(path_of(invitation), answer(invitation)).status_code == 409
    assert Response.objects.count() == 0
    invitation.refresh_from_db()
    assert invitation.state == Invitation.State.QUEUED


@pytest.mark.parametrize(
    ("language", "words"),
    [("ru", "Насколько вероятно"), ("zh-hans", "您有多大可能"), ("fr", "How likely")],
)
def test_the_question_is_in_the_customers_language(
    client: Client, invitation: Invitation, language: str, words: str
) -> None:
    invitation.customer.language = language
    invitation.customer.save(update_fields=["language"])

    assert words in client.get(path_of(invitation)).content.decode()


def test_an_answer_stands_on_the_timeline_without_its_words(invitation: Invitation) -> None:
    services.record_response(
        survey_id=invitation.survey_id,
        invitation_id=invitation.pk,
        score=4,
        comment="My name is Kim",
        happened_at=invitation.invited_at + timedelta(days=1),
        actor="customer:1",
    )

    event = Event.objects.get(kind="survey.answered")
    assert event.customer_id == invitation.customer_id
    assert event.codes == {"kind": "nps", "score": 4}


def test_an_answer_can_not_be_changed(invitation: Invitation) -> None:
    services.record_response(
        survey_id=invitation.survey_id, score=4, happened_at=NOON, actor="system"
    )

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Response.objects.update(score=10)
    assert Response.objects.get().score == 4


def test_a_void_answer_keeps_its_reason(invitation: Invitation) -> None:
    response = services.record_response(
        survey_id=invitation.survey_id, score=4, happened_at=NOON, actor="system"
    )

    services.void_response(
        response_id=response.pk, reason="Answered by a colleague", happened_at=NOON, actor="user:1"
    )
    services.void_response(
        response_id=response.pk, reason="Again", happened_at=NOON, actor="user:1"
    )

    assert response.void.reason == "Answered by a colleague"


def test_past_answers_are_recorded_once() -> None:
    customer = make_customer()
    rows = [
        services.PastResponse(f"a{number}", customer.pk, number % 11, NOON)
        for number in range(1200)
    ]
    survey = services.ensure_nps_survey()

    assert services.record_past_responses(survey=survey, rows=rows, actor="system") == 1200
    assert services.record_past_responses(survey=survey, rows=rows, actor="system") == 0
    assert Response.objects.count() == 1200


def test_erasing_words_leaves_scores(invitation: Invitation) -> None:
    from feedback.privacy import erase_response_comments

    services.record_response(
        survey_id=invitation.survey_id,
        invitation_id=invitation.pk,
        score=4,
        comment="My name is Kim",
        happened_at=invitation.invited_at,
        actor="customer:1",
    )

    assert erase_response_comments([invitation.customer_id]) == 1
    assert ResponseComment.objects.count() == 0
    assert Response.objects.get().score == 4
