"""Setting up a follow-up and switching it on and off."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import InvalidInput
from common.services import record_event
from feedback.services import ensure_nps_survey
from mailing.services import ensure_template
from outreach.models import Rule
from outreach.texts import FOLLOW_UP_KEY, FOLLOW_UP_TEXTS

AFTER_DELIVERY = "after_delivery"
LONGEST_DELAY_DAYS = 365


@transaction.atomic
def ensure_follow_up_rule(
    *,
    delay_days: int,
    happened_at: datetime,
    actor: str,
    active_from: datetime | None = None,
    keeps_quiet_hours: bool = True,
    late_days: int = 30,
) -> Rule:
    """Return the rule that asks customers so many days after a delivery, made if need be.

    active_from: deliveries before it are never followed up; default ``happened_at``.
    keeps_quiet_hours: whether the emails wait at night.
    late_days: who could not be asked until so many days after the due time is not asked any more.

    The same settings return the rule as it is, even if it was switched off since. Others add a
    version in its place, on whose account nobody is asked twice about one purchase.

    :raises InvalidInput: a delay that makes no sense; nothing is written.
    """
    if not 0 <= delay_days <= LONGEST_DELAY_DAYS:
        raise InvalidInput(
            _("Wait between 0 and %(days)s days.") % {"days": LONGEST_DELAY_DAYS},
            fields={"delay_days": [str(delay_days)]},
        )
    ensure_nps_survey()
    ensure_template(FOLLOW_UP_KEY, FOLLOW_UP_TEXTS)
    newest = (
        Rule.objects.select_for_update().filter(key=AFTER_DELIVERY).order_by("-version").first()
    )
    if newest and (newest.delay_days, newest.keeps_quiet_hours) == (delay_days, keeps_quiet_hours):
        return newest
    Rule.objects.filter(key=AFTER_DELIVERY, is_active=True).update(is_active=False)
    rule = Rule.objects.create(
        key=AFTER_DELIVERY,
        version=newest.version + 1 if newest else 1,
        delay_days=delay_days,
        keeps_quiet_hours=keeps_quiet_hours,
        late_days=late_days,
        template_key=FOLLOW_UP_KEY,
        active_from=active_from or happened_at,
        recorded_at=happened_at,
    )
    _record(rule, "followup.rule_recorded", happened_at, actor)
    return rule


@transaction.atomic
def switch_rule(*, rule_id: int, is_active: bool, happened_at: datetime, actor: str) -> Rule:
    """Switch a rule on or off and return it; in the state it has already, nothing happens.

    Switched on, it follows up deliveries from now on, not those of the time it was off.
    """
    rule = Rule.objects.select_for_update().get(pk=rule_id)
    if rule.is_active == is_active:
        return rule
    if is_active:
        Rule.objects.filter(key=rule.key, is_active=True).update(is_active=False)
        rule.active_from = max(rule.active_from, happened_at)
    rule.is_active = is_active
    rule.save(update_fields=["is_active", "active_from"])
    kind = "followup.switched_on" if is_active else "followup.switched_off"
    _record(rule, kind, happened_at, actor)
    return rule


def _record(rule: Rule, kind: str, happened_at: datetime, actor: str) -> None:
    record_event(
        kind=kind,
        subject_kind="followup",
        subject_ref=f"{rule.key}:{rule.version}",
        occurred_at=happened_at,
        actor=actor,
        codes={"delay_days": rule.delay_days},
    )
