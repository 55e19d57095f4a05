"""The response clock: who in a conversation was answered when, and who still waits.

Everything here follows from the contacts themselves, in whatever order they became known, so that
an answer posted before its question, or a time mended later, settles right.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from common.errors import InvalidInput
from common.services import record_event
from crm.clocks import Hours, business_seconds, due_after
from crm.models import Channel, Conversation, Interaction, ResponsePromise
from crm.models.interactions import NOT_REACHED
from crm.selectors.calendars import hours_of
from crm.selectors.promises import promised_minutes

Direction = Interaction.Direction
SETTLED = ["due_at", "answered_at", "answered_by", "response_seconds"]


def settle_conversation(conversation: Conversation, *, since: datetime | None = None) -> None:
    """Work out who waits; the caller has locked the conversation and saves it.

    An inbound contact that needs an answer is answered by the first real outbound contact at or
    after it; internal notes and attempts without an answer are none. Sets ``waiting_since`` and
    ``due_at`` of the conversation, and the result on each contact.

    since: the time of the contact that came or changed, the earlier one where it moved; answers
        before it stay as they are. None works out everything. At most nine queries.
    """
    contacts = Interaction.objects.filter(conversation=conversation)
    asked = contacts.filter(needs_answer=True)
    if since is None:
        questions = list(asked)
    else:  # each by the index that ends in answered_at, however long the conversation is
        questions = list(asked.filter(answered_at__isnull=True))
        questions += asked.filter(answered_at__gte=since)
    questions.sort(key=lambda one: (one.occurred_at, one.pk))
    answers: list[tuple[int, datetime]] = []
    if questions:
        answers = list(
            contacts.filter(direction=Direction.OUTBOUND, occurred_at__gte=questions[0].occurred_at)
            .exclude(outcome__in=NOT_REACHED)
            .order_by("occurred_at", "id")
            .values_list("id", "occurred_at")
        )
    hours = hours_of({question.location_id for question in questions}) if questions else {}
    promises = promised_minutes() if any(one.due_at is None for one in questions) else {}
    changed = []
    place = 0
    for question in questions:
        while place < len(answers) and answers[place][1] < question.occurred_at:
            place += 1
        answer = answers[place] if place < len(answers) else None
        if _settle(question, answer, hours[question.location_id], promises):
            changed.append(question)
    Interaction.objects.bulk_update(changed, SETTLED, batch_size=200)
    waiting = [question for question in questions if question.answered_at is None]
    conversation.waiting_since = waiting[0].occurred_at if waiting else None
    conversation.due_at = min((one.due_at for one in waiting if one.due_at), default=None)


def _settle(
    question: Interaction,
    answer: tuple[int, datetime] | None,
    hours: Hours,
    promises: Mapping[str, int],
) -> bool:
    """Write down one result; whether anything changed. What stays is not worked out again."""
    before = [question.due_at, question.answered_at, question.answered_by_id]
    if question.due_at is None:
        # What was promised then stays, even if the promise changes later.
        question.due_at = due_after(question.occurred_at, promises[question.channel] * 60, hours)
    question.answered_by_id, question.answered_at = answer or (None, None)
    if before == [question.due_at, question.answered_at, question.answered_by_id]:
        return False
    question.response_seconds = (
        business_seconds(question.occurred_at, question.answered_at, hours)
        if question.answered_at
        else None
    )
    return True


@transaction.atomic
def promise_response(*, minutes: Mapping[str, int], happened_at: datetime, actor: str) -> None:
    """Set within how many business minutes each channel is answered, from now on.

    minutes: channel → minutes, at least 1. What came in before keeps its promise.

    :raises InvalidInput: an unknown channel or no time at all; nothing is written.
    """
    for channel, value in minutes.items():
        if channel not in Channel.values or value < 1:
            raise InvalidInput(fields={channel: [str(InvalidInput.message)]})
    before = promised_minutes()
    changed = {channel: value for channel, value in minutes.items() if before[channel] != value}
    for channel, value in sorted(changed.items()):
        ResponsePromise.objects.update_or_create(
            channel=channel, defaults={"minutes": value, "recorded_at": happened_at}
        )
        record_event(
            kind="promise.changed",
            subject_kind="promise",
            subject_ref=channel,
            occurred_at=happened_at,
            actor=actor,
            codes={"channel": channel, "before": before[channel], "minutes": value},
        )
