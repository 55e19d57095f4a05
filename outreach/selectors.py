"""Reads of the outreach app."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, QuerySet
from django.utils import formats
from django.utils.translation import override

from common.errors import NotFound
from common.time import local_date, start_of_day
from feedback.models import Invitation
from mailing.models import Message, Template
from mailing.rendering import RenderedMail, built_in_values, render_mail
from mailing.selectors import texts_in_force
from outreach.models import Enrolment, Rule

State = Enrolment.State
ARRIVED = {Message.State.SENT.value, Message.State.BOUNCED.value, Message.State.COMPLAINED.value}


@dataclass(slots=True)
class FollowUpCounts:
    """How many customers a rule concerned since some time.

    skipped: reason → number, of those not written to; from the rule and from the gate of mailing.
    """

    enrolled: int = 0
    sent: int = 0
    answered: int = 0
    skipped: dict[str, int] = field(default_factory=dict)

    @property
    def not_asked(self) -> int:
        """How many were skipped, for whatever reason."""
        return sum(self.skipped.values())


def list_rules() -> QuerySet[Rule]:
    """Return the newest version of every rule."""
    newest = Rule.objects.order_by("key", "-version")
    seen: dict[str, int] = {}
    for rule_id, key in newest.values_list("id", "key"):
        seen.setdefault(key, rule_id)
    return Rule.objects.filter(pk__in=seen.values()).order_by("key")


def get_rule(key: str) -> Rule:
    """Return the newest version of a rule.

    :raises NotFound: there is none.
    """
    rule = Rule.objects.filter(key=key).order_by("-version").first()
    if rule is None:
        raise NotFound
    return rule


def count_follow_ups(rule_key: str, *, since: datetime) -> FollowUpCounts:
    """Return what was decided under a rule since an instant; one query."""
    counts = FollowUpCounts()
    rows = (
        Enrolment.objects.filter(rule_key=rule_key, decided_at__gte=since)
        .values_list("state", "reason", "message__state", "message__reason", "invitation__state")
        .annotate(number=Count("id"))
    )
    for state, reason, message_state, message_reason, invitation_state, number in rows:
        if state == State.SKIPPED:
            counts.skipped[reason] = counts.skipped.get(reason, 0) + number
            continue
        if message_state == Message.State.SUPPRESSED:  # chosen, but then held back by the gate
            counts.skipped[message_reason] = counts.skipped.get(message_reason, 0) + number
            continue
        counts.enrolled += number
        if message_state in ARRIVED:
            counts.sent += number
        if invitation_state == Invitation.State.RESPONDED:
            counts.answered += number
    counts.skipped = dict(sorted(counts.skipped.items(), key=lambda item: -item[1]))
    return counts


def start_of_today(now: datetime) -> datetime:
    """Return when the organisation's present day began."""
    return start_of_day(local_date(now))


def days_before(now: datetime, days: int) -> datetime:
    """Return when the organisation's day so many days ago began."""
    return start_of_day(local_date(now) - timedelta(days=days))


def list_enrolments(rule_key: str) -> QuerySet[Enrolment]:
    """Return who came under a rule, with customers, orders and messages."""
    return Enrolment.objects.filter(rule_key=rule_key).select_related(
        "customer", "order", "message", "rule"
    )


def previews(rule: Rule, now: datetime) -> list[tuple[Template, RenderedMail]]:
    """Return the rule's email in every language, for an invented customer."""
    order = [code for code, _name in settings.LANGUAGES]
    texts = sorted(
        (text for text in texts_in_force(rule.template_key) if text.language in order),
        key=lambda text: order.index(text.language),
    )
    return [(text, _preview(text, rule, now)) for text in texts]


def _preview(text: Template, rule: Rule, now: datetime) -> RenderedMail:
    with override(text.language):
        order_date = formats.date_format(local_date(now - rule.delay))
    values = built_in_values(language=text.language, name="") | {
        "survey_url": f"{settings.BASE_URL}/s/…/",
        "order_date": order_date,
    }
    return render_mail(
        subject=text.subject,
        body=text.body,
        language=text.language,
        values=values,
        unsubscribe_url=f"{settings.BASE_URL}/u/…/",
    )
