"""Asking customers and recording what they answer."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, InvalidInput
from common.services import record_event
from common.time import now
from common.validators import clean_line, clean_text
from feedback.models import (
    Invitation,
    Question,
    Response,
    ResponseComment,
    ResponseVoid,
    Survey,
)
from feedback.tokens import invitation_token
from loyalty.services.bonus_reversal import take_back_bonus
from loyalty.services.bonuses import award_bonus

MAX_COMMENT = 4000
NPS_WORDING = {
    "en": "How likely are you to recommend us to a friend or colleague?",
    "ru": "Насколько вероятно, что вы порекомендуете нас друзьям или коллегам?",
    "zh-hans": "您有多大可能向朋友或同事推荐我们？",
}
REASON_WORDING = {
    "en": "What is the main reason for your score?",
    "ru": "Что больше всего повлияло на вашу оценку?",
    "zh-hans": "您给出这个分数的主要原因是什么？",
}


class AlreadyAnswered(Conflict):
    """The invitation was answered before; the first answer stands."""

    code = "already_answered"
    message = _("You have answered already. Thank you!")


class InvitationExpired(Conflict):
    """The invitation is too old to answer."""

    code = "invitation_expired"
    message = _("This survey is closed.")


class ScoreOutOfRange(InvalidInput):
    """The score is not on the question's scale."""

    code = "score_out_of_range"
    message = _("Choose a number from 0 to 10.")


@transaction.atomic
def ensure_nps_survey(*, happened_at: datetime | None = None) -> Survey:
    """Return the would-recommend survey, made on first use."""
    survey, is_new = Survey.objects.get_or_create(
        key="nps",
        version=1,
        defaults={
            "name": "Would recommend",
            "kind": Survey.Kind.NPS,
            "created_at": happened_at or now(),
        },
    )
    if is_new:
        Question.objects.bulk_create(
            [
                Question(survey=survey, position=1, kind="score_0_10", wording=NPS_WORDING),
                Question(survey=survey, position=2, kind="text", wording=REASON_WORDING),
            ]
        )
    return survey


@transaction.atomic
def invite_customer(
    *, survey_id: int, customer_id: int, trigger_key: str, happened_at: datetime
) -> Invitation:
    """Return the customer's invitation for a trigger; the same trigger gives the same one.

    Sends nothing by itself. The first invitation freezes the survey's version.
    """
    survey = Survey.objects.get(pk=survey_id)
    invitation, _is_new = Invitation.objects.get_or_create(
        trigger_key=trigger_key,
        defaults={
            "survey": survey,
            "customer_id": customer_id,
            "invited_at": happened_at,
            "expires_at": happened_at + timedelta(days=survey.valid_days),
        },
    )
    if survey.frozen_at is None:
        Survey.objects.filter(pk=survey_id, frozen_at__isnull=True).update(frozen_at=happened_at)
    return invitation


@transaction.atomic
def invite_customers(
    *, survey_id: int, customers: dict[str, int], happened_at: datetime
) -> dict[str, Invitation]:
    """Return the invitation of each trigger; the same trigger gives the same one.

    customers: trigger key → customer id.  Like :func:`invite_customer` for many; five queries.
    """
    survey = Survey.objects.get(pk=survey_id)
    Invitation.objects.bulk_create(
        (
            Invitation(
                survey=survey,
                customer_id=customer_id,
                trigger_key=trigger_key,
                invited_at=happened_at,
                expires_at=happened_at + timedelta(days=survey.valid_days),
            )
            for trigger_key, customer_id in customers.items()
        ),
        ignore_conflicts=True,
    )
    if survey.frozen_at is None:
        Survey.objects.filter(pk=survey_id, frozen_at__isnull=True).update(frozen_at=happened_at)
    found = Invitation.objects.filter(trigger_key__in=customers)
    return {invitation.trigger_key: invitation for invitation in found}


def survey_url(invitation: Invitation) -> str:
    """Return the absolute link by which the customer answers; it can be rendered again."""
    return f"{settings.BASE_URL}/s/{invitation_token(invitation)}/"


def open_invitation(*, invitation_id: int, happened_at: datetime) -> None:
    """Remember the first time the link was opened. Opening never answers."""
    Invitation.objects.filter(pk=invitation_id, state=Invitation.State.QUEUED).update(
        state=Invitation.State.OPENED, opened_at=happened_at
    )


@transaction.atomic
def record_response(
    *,
    survey_id: int,
    score: int,
    happened_at: datetime,
    actor: str,
    invitation_id: int | None = None,
    customer_id: int | None = None,
    comment: str = "",
    external_id: str | None = None,
) -> Response:
    """Record an answer and return it. Of several answers to one invitation the first stands.

    score: 0 to 10.  comment: kept erasable, at most 4,000 characters.
    A member is paid for it by the programme's rules; nobody is for an anonymous answer.

    :raises ScoreOutOfRange: nothing is written.
    :raises AlreadyAnswered: the invitation (or external id) has an answer; nothing is written.
    :raises InvitationExpired: the invitation's time is over; nothing is written.
    """
    if not 0 <= score <= 10:
        raise ScoreOutOfRange(fields={"score": [str(ScoreOutOfRange.message)]})
    comment = clean_text(comment, max_length=MAX_COMMENT)
    survey = Survey.objects.get(pk=survey_id)
    if invitation_id is not None:
        invitation = Invitation.objects.select_for_update().get(pk=invitation_id)
        if invitation.state == Invitation.State.RESPONDED:
            raise AlreadyAnswered
        if happened_at >= invitation.expires_at:
            raise InvitationExpired
        customer_id = invitation.customer_id
        invitation.state = Invitation.State.RESPONDED
        invitation.save(update_fields=["state"])
    try:
        with transaction.atomic():
            response = Response.objects.create(
                survey=survey,
                invitation_id=invitation_id,
                customer_id=customer_id,
                kind=survey.kind,
                score=score,
                external_id=external_id or None,
                answered_at=happened_at,
                recorded_at=now(),
            )
    except IntegrityError as error:
        raise AlreadyAnswered from error
    if comment:
        ResponseComment.objects.create(response=response, text=comment)
    record_event(
        kind="survey.answered",
        subject_kind="response",
        subject_ref=response.ref,
        customer_id=customer_id,
        occurred_at=happened_at,
        actor=actor,
        codes={"kind": survey.kind, "score": score},
    )
    if customer_id is not None:
        award_bonus(
            kind="survey",
            customer_id=customer_id,
            source=_bonus_source(response),
            happened_at=happened_at,
            actor=actor,
        )
    return response


@transaction.atomic
def void_response(*, response_id: int, reason: str, happened_at: datetime, actor: str) -> None:
    """Take an answer out of the figures, with the reason; a second time changes nothing.

    Points that it was paid with are taken back.

    :raises InvalidInput: no reason was given.
    """
    reason = clean_line(reason)
    if not reason:
        raise InvalidInput(fields={"reason": [str(_("Say why."))]})
    response = Response.objects.get(pk=response_id)
    _void, is_new = ResponseVoid.objects.get_or_create(
        response=response,
        defaults={"reason": reason, "actor": actor, "voided_at": happened_at},
    )
    if is_new:
        record_event(
            kind="survey.voided",
            subject_kind="response",
            subject_ref=response.ref,
            customer_id=response.customer_id,
            occurred_at=happened_at,
            actor=actor,
        )
        take_back_bonus(source=_bonus_source(response), happened_at=happened_at, actor=actor)


def _bonus_source(response: Response) -> str:
    return f"survey:{response.pk}"
