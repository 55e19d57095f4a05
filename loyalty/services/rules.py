"""Adding, changing and stopping ways to earn points, for what is still to come."""

from __future__ import annotations

import secrets
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, InvalidInput, NotFound
from common.services import record_event
from common.time import now
from common.validators import clean_line
from loyalty.models import EarningRule, Programme, RuleVersion
from loyalty.selectors.programme import get_programme
from loyalty.services.rule_content import EMPTY_RULE, LATER, POSITIONS, checked_content

Kind = EarningRule.Kind


class VersionTooEarly(Conflict):
    """A rule or the terms can only be changed for orders still to come."""

    code = "version_too_early"
    message = _("A change can't reach back: choose a later time.")


@transaction.atomic
def add_rule(
    *,
    kind: str,
    name: str,
    valid_from: datetime,
    happened_at: datetime,
    actor: str,
    points: int = 0,
    per_amount: Decimal | None = None,
    factor: Decimal | None = None,
    nth: int | None = None,
    friend_points: int = 0,
    rounding: str = RuleVersion.Rounding.DOWN,
    per: str = RuleVersion.Per.ORDER,
    position: int | None = None,
    is_exclusive: bool = False,
    conditions: dict[str, Any] | None = None,
    caps: dict[str, Any] | None = None,
    holdout_percent: int = 0,
) -> EarningRule:
    """Add a way to earn points, for purchases made from ``valid_from`` on, and return it.

    points: for each ``per_amount`` (amount), or the bonus.  factor: of a multiplier, above 1.
    nth: of a bonus for every n-th purchase.  friend_points: of a referral.
    position: rules are reckoned in this order; None puts it after those it builds on.
    conditions, caps: as :meth:`Conditions.parse` and :meth:`Caps.parse` read them.
    holdout_percent: of members who don't get it and so show what it does.

    :raises VersionTooEarly: ``valid_from`` is before ``happened_at``; nothing is written.
    :raises InvalidInput: a value can't be meant, ``fields`` says which; nothing is written.
    :raises NotFound: there is no programme.
    """
    programme = get_programme()
    if kind not in Kind.values:
        raise InvalidInput(fields={"kind": [str(_("Choose what is paid for."))]})
    _refuse_the_past(valid_from, happened_at)
    content = {
        "points": points,
        "per_amount": per_amount,
        "factor": factor,
        "nth": nth,
        "friend_points": friend_points,
        "rounding": rounding,
        "per": per,
        "position": POSITIONS.get(Kind(kind), LATER) if position is None else position,
        "is_exclusive": is_exclusive,
        "is_active": True,
        "conditions": {} if conditions is None else conditions,
        "caps": {} if caps is None else caps,
        "holdout_percent": holdout_percent,
    }
    rule = record_rule(
        programme, kind=kind, name=name, content=content, valid_from=valid_from, actor=actor
    )
    _record(rule, "rule.added", happened_at, actor, version=1, pays_for=kind)
    return rule


@transaction.atomic
def change_rule(
    *, rule_id: int, valid_from: datetime, happened_at: datetime, actor: str, **changed: Any
) -> RuleVersion:
    """Change what a rule pays for orders made from ``valid_from`` on; what was earned stays.

    changed: of ``EMPTY_RULE``; what is left out stays as in the latest version. Others raise
    TypeError. The control group stays the same people, more or fewer of them.

    :raises VersionTooEarly: ``valid_from`` is before ``happened_at``, or not after the latest
        version's; nothing is written.
    :raises InvalidInput: a value can't be meant, ``fields`` says which; nothing is written.
    :raises NotFound: there is no such rule.
    """
    if unknown := changed.keys() - EMPTY_RULE.keys():
        raise TypeError(f"not part of a rule: {sorted(unknown)}")
    rule = _locked(rule_id)
    latest = rule.versions.latest("valid_from")
    _refuse_the_past(valid_from, happened_at)
    if valid_from <= latest.valid_from:
        raise VersionTooEarly(fields={"valid_from": [str(VersionTooEarly.message)]})
    content = {name: getattr(latest, name) for name in EMPTY_RULE} | changed
    version = _write(
        rule,
        checked_content(rule.kind, content),
        number=latest.number + 1,
        # A rule from before there were control groups has no salt yet.
        salt=latest.salt or secrets.token_hex(8),
        valid_from=valid_from,
        actor=actor,
    )
    is_stopped = latest.is_active and not version.is_active
    kind = "rule.stopped" if is_stopped else "rule.changed"
    _record(rule, kind, happened_at, actor, version=version.number)
    return version


def stop_rule(
    *, rule_id: int, valid_from: datetime, happened_at: datetime, actor: str
) -> RuleVersion:
    """Stop a rule for orders made from ``valid_from`` on; ``change_rule`` can resume it.

    :raises VersionTooEarly, NotFound: see :func:`change_rule`.
    """
    return change_rule(
        rule_id=rule_id,
        valid_from=valid_from,
        happened_at=happened_at,
        actor=actor,
        is_active=False,
    )


@transaction.atomic
def rename_rule(*, rule_id: int, name: str, happened_at: datetime, actor: str) -> EarningRule:
    """Give a rule another name, for the past too: it changes no points.

    :raises InvalidInput: no name, or too long; nothing is written.
    :raises NotFound: there is no such rule.
    """
    rule = _locked(rule_id)
    clean = _named(name)
    if clean != rule.name:
        rule.name = clean
        rule.save(update_fields=["name"])
        _record(rule, "rule.renamed", happened_at, actor)
    return rule


def record_rule(
    programme: Programme,
    *,
    kind: str,
    name: str,
    content: dict[str, Any],
    valid_from: datetime,
    actor: str,
) -> EarningRule:
    """Write a rule with its first version. Call in a transaction.

    :raises InvalidInput: a value can't be meant; nothing is written.
    """
    clean, checked = _named(name), checked_content(kind, content)
    rule = EarningRule.objects.create(programme=programme, kind=kind, name=clean, recorded_at=now())
    _write(rule, checked, number=1, salt=secrets.token_hex(8), valid_from=valid_from, actor=actor)
    return rule


def _write(
    rule: EarningRule,
    content: dict[str, Any],
    *,
    number: int,
    salt: str,
    valid_from: datetime,
    actor: str,
) -> RuleVersion:
    return RuleVersion.objects.create(
        rule=rule,
        number=number,
        salt=salt,
        valid_from=valid_from,
        actor=actor,
        recorded_at=now(),
        **content,
    )


def _named(name: str) -> str:
    clean = clean_line(name)
    if not clean:
        raise InvalidInput(fields={"name": [str(_("Give the rule a name."))]})
    return clean


def _refuse_the_past(valid_from: datetime, happened_at: datetime) -> None:
    if valid_from < happened_at:
        raise VersionTooEarly(fields={"valid_from": [str(VersionTooEarly.message)]})


def _locked(rule_id: int) -> EarningRule:
    rule = EarningRule.objects.select_for_update().filter(pk=rule_id).first()
    if rule is None:
        raise NotFound
    return rule


def _record(
    rule: EarningRule, kind: str, happened_at: datetime, actor: str, **codes: int | str
) -> None:
    record_event(
        kind=kind,
        subject_kind="rule",
        subject_ref=rule.ref,
        occurred_at=happened_at,
        actor=actor,
        codes=codes,
    )
