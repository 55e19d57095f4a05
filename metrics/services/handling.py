"""What the business does with customers who cost more than they bring."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import InvalidInput
from common.services import record_event
from common.validators import clean_line, clean_text
from crm.models import Task
from crm.services.bulk_actions import MOST_TASKS, NobodyChosen, TooManyTasks
from crm.services.tasks import open_task
from metrics.models import HandlingRule

LONGEST_TEXT, LONGEST_DAYS = 2000, 365


@transaction.atomic
def set_handling_rule(
    *,
    subject: str,
    text: str,
    task_title: str,
    due_days: int,
    happened_at: datetime,
    actor: str,
) -> HandlingRule:
    """Say what is to be done with a kind of customers. The same again changes nothing.

    :raises InvalidInput: no text or no title, too long, not 1 to 365 days; nothing is written.
    """
    text, title = clean_text(text), clean_line(task_title, max_length=200)
    problems: dict[str, list[str]] = {}
    if not text:
        problems["text"] = [str(_("Fill this in."))]
    elif len(text) > LONGEST_TEXT:
        problems["text"] = [str(_("At most 2,000 characters."))]
    if not title:
        problems["task_title"] = [str(_("Fill this in."))]
    if not 1 <= due_days <= LONGEST_DAYS:
        problems["due_days"] = [str(_("Give 1 to 365 days."))]
    if problems or subject not in HandlingRule.Subject.values:
        raise InvalidInput(fields=problems)
    values = {"text": text, "task_title": title, "due_days": due_days}
    known = HandlingRule.objects.select_for_update().filter(subject=subject).first()
    if known is not None and all(getattr(known, name) == new for name, new in values.items()):
        return known
    rule, _is_new = HandlingRule.objects.update_or_create(subject=subject, defaults=values)
    record_event(
        kind="handling_rule.set",
        subject_kind="handling_rule",
        subject_ref=subject,
        occurred_at=happened_at,
        actor=actor,
        codes={"due_days": due_days},
    )
    return rule


@transaction.atomic
def open_handling_tasks(
    *,
    subject: str,
    period: str,
    customer_ids: Sequence[int],
    title: str,
    text: str,
    due_at: datetime,
    assignee_id: int | None,
    happened_at: datetime,
    actor: str,
) -> int:
    """Open a task about each customer who has none from this rule and period; return how many.

    All of them or none. period: such as ``2026-Q1``; in it each customer gets one task at most.

    :raises NobodyChosen: there are no customers; nothing is written.
    :raises TooManyTasks: more than 500; nothing is written.
    :raises InvalidInput: no title, or a colleague who can't do it; nothing is written.
    """
    if not customer_ids:
        raise NobodyChosen
    if len(customer_ids) > MOST_TASKS:
        raise TooManyTasks
    keys = {f"{subject}:{period}:{customer_id}": customer_id for customer_id in customer_ids}
    known = set(Task.objects.filter(source_key__in=keys).values_list("source_key", flat=True))
    new = {key: customer_id for key, customer_id in keys.items() if key not in known}
    for key, customer_id in new.items():
        open_task(
            title=title,
            text=text,
            due_at=due_at,
            customer_id=customer_id,
            assignee_id=assignee_id,
            origin=Task.Origin.SEGMENT,
            source_key=key,
            happened_at=happened_at,
            actor=actor,
        )
    return len(new)
