"""Answers of colleagues by email: written to the queue from the contact log, once each."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.db.models import Exists, OuterRef, Value
from django.db.models.functions import Concat
from django.utils.translation import gettext, override

from crm.models import Interaction
from crm.selectors import language_of
from mailing.models import Message
from mailing.services.messages import Draft, queue_messages
from mailing.services.templates import ensure_template

TEXT_KEY = "reply"
SOURCE = "reply:"  # with the contact's ref: what the message is written for
BATCH = 200
LATELY = timedelta(days=3)  # overlaps generously: a late commit is seen, too
EVER = timedelta(days=3650)


def queue_replies(now: datetime, *, within: timedelta = LATELY) -> int:
    """Write a message for each answer that shall go out and has none; return how many.

    within: how long ago it was taken down at most. A text erased meanwhile goes nowhere.
    """
    written = Message.objects.filter(source_key=Concat(Value(SOURCE), OuterRef("ref")))
    waiting = (
        Interaction.objects.filter(
            ~Exists(written),
            to_send=True,
            recorded_at__gt=now - within,
            customer__isnull=False,
            customer__erased_at__isnull=True,
        )
        .exclude(text="")
        .select_related("customer", "conversation")
        .order_by("recorded_at", "id")
    )
    answers = list(waiting[:BATCH])
    if not answers:
        return 0
    ensure_template(TEXT_KEY, _texts())
    queue_messages([_draft(answer) for answer in answers], happened_at=now)
    return len(answers)


queue_all_replies = partial(queue_replies, within=EVER)


def _draft(answer: Interaction) -> Draft:
    customer = answer.customer
    assert customer is not None  # noqa: S101 - filtered
    language = language_of(customer)
    with override(language):
        subject = gettext("Re: %(subject)s") % {
            "subject": answer.conversation.subject or gettext("Your question")
        }
    return Draft(
        source_key=f"{SOURCE}{answer.ref}",
        customer_id=customer.pk,
        template=TEXT_KEY,
        language=language,
        context={"reply_subject": subject, "reply_text": answer.text},
        kind=Message.Kind.REPLY,
        reason_code="reply",
    )


def _texts() -> dict[str, tuple[str, str]]:
    """The words are the colleague's own; the frame is the same in every language."""
    frame = ("{{reply_subject}}", "{{reply_text}}")
    return {code: frame for code, _name in settings.LANGUAGES}
