"""Simulated contacts, notes and tasks, so that the demo's inbox and task list have work in them.

Who gets which follows from the seed. Only for people the demo invented.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import blake2b

from common.services import SYSTEM
from config.demo.talk import NOTES, TALKS, TASKS, Talk, Words
from crm.models import Customer, Interaction, Note
from crm.services.interactions import NewContact, post_interaction
from crm.services.notes import record_note
from crm.services.tasks import open_task

SOURCE = "demo"
PAST_TALKS, WAITING_TALKS = 48, 9
PEOPLE_WITH_NOTES, PEOPLE_WITH_TASKS = 40, 12
DAYS_OF_TALK = 60


def record_contacts(*, seed: int, now: datetime) -> int:
    """Record simulated talks, notes and tasks; return how many talks there are.

    now: aware UTC; nothing is recorded as having happened later. A second time adds nothing.
    """
    people = _people(seed)
    wanted = min(PAST_TALKS + WAITING_TALKS, len(people))
    for number, customer in enumerate(people[:wanted]):
        waits = number < WAITING_TALKS
        # The last hours and days wait; the rest lies evenly over the weeks before.
        began = (
            now - timedelta(hours=1 + 5 * number)
            if waits
            else now - timedelta(days=3 + (number * DAYS_OF_TALK) // wanted, hours=number % 9)
        )
        # Whoever stands before us does not wait: the last talk is only held in the past.
        talk = TALKS[number % (len(TALKS) - waits)]
        _hold(talk, customer, began, is_unanswered=waits)
    if not Note.objects.filter(customer__in=people[:PEOPLE_WITH_NOTES]).exists():
        for number, customer in enumerate(people[:PEOPLE_WITH_NOTES]):
            kind, words = NOTES[number % len(NOTES)]
            record_note(
                customer_id=customer.pk,
                kind=kind,
                text=_in_language(words, customer),
                happened_at=now - timedelta(days=number),
                actor=SYSTEM,
            )
    for number, customer in enumerate(people[:PEOPLE_WITH_TASKS]):
        open_task(
            title=_in_language(TASKS[number % len(TASKS)], customer),
            due_at=now + timedelta(hours=9 * (number - 3)),
            customer_id=customer.pk,
            source_key=f"{SOURCE}:{customer.pk}",
            happened_at=now - timedelta(days=2),
            actor=SYSTEM,
            remind_before=None,
        )
    return wanted


def _people(seed: int) -> list[Customer]:
    most = max(PAST_TALKS + WAITING_TALKS, PEOPLE_WITH_NOTES, PEOPLE_WITH_TASKS)
    found = Customer.objects.filter(is_invented=True, erased_at=None, person=None)
    drawn = sorted(
        found.values_list("external_id", flat=True),
        key=lambda external_id: blake2b(f"{seed}:talk:{external_id}".encode()).digest(),
    )[:most]
    by_id = {one.external_id: one for one in found.filter(external_id__in=drawn)}
    return [by_id[external_id] for external_id in drawn]


def _hold(talk: Talk, customer: Customer, began: datetime, *, is_unanswered: bool) -> None:
    occurred_at = began
    for place, turn in enumerate(talk.turns[:1] if is_unanswered else talk.turns):
        occurred_at += timedelta(minutes=turn.minutes)
        post_interaction(
            contact=NewContact(
                channel=talk.channel,
                direction=turn.direction,
                customer_id=customer.pk,
                subject=_in_language(talk.subject, customer),
                text=_in_language(turn.text, customer),
                outcome=_outcome(talk, turn.direction),
                occurred_at=occurred_at,
                source=SOURCE,
                thread=f"{SOURCE}-{customer.ref}",
                external_id=f"{SOURCE}-{customer.ref}-{place}",
                needs_answer=True if is_unanswered else None,
            ),
            happened_at=occurred_at,
            actor=SYSTEM,
        )


def _outcome(talk: Talk, direction: str) -> str:
    is_call_out = talk.channel == "phone" and direction == Interaction.Direction.OUTBOUND
    return Interaction.Outcome.REACHED if is_call_out else Interaction.Outcome.NONE


def _in_language(words: Words, customer: Customer) -> str:
    return words.get(customer.language, words["en"])
