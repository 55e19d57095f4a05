"""Setting up the programme and changing its terms."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, InvalidInput, NotFound
from common.services import record_event
from common.time import now
from common.validators import clean_line
from loyalty.models import EarningRule, Programme, RuleVersion, TermsVersion
from loyalty.selectors.conditions import LEAP_YEAR
from loyalty.selectors.programme import find_programme
from loyalty.services.rule_content import EMPTY_RULE, out_of_range
from loyalty.services.rules import VersionTooEarly, record_rule

LONGEST_WINDOW = 365
LONGEST_VALIDITY = 36_500  # days
LONGEST_MONTHS = 1_200
MOST_LIMIT = 1_000_000_000
NOTHING, DEAREST = Decimal(0), 1_000_000
# The terms a programme has unless it is told otherwise.
FIRST_TERMS: Mapping[str, Any] = {
    "pending_days": 14,
    "point_value": NOTHING,
    "point_cost": NOTHING,
    "expiry": "never",
    "expiry_count": None,
    "expiry_end": "day",
    "expiry_month": None,
    "expiry_day": None,
    "hold_minutes": 30,
    "staff_limit": 500,
    "manager_limit": 1_000,
    "tier_measure": "points",
    "tier_window": "rolling",
    "tier_months": 12,
    "tier_grace_days": 0,
    "tier_downgrade": "requalify",
}
Range = tuple[Decimal | int, Decimal | int]
TERM_RANGES: Mapping[str, Range] = {
    "pending_days": (0, LONGEST_WINDOW),
    "point_value": (NOTHING, DEAREST),
    "point_cost": (NOTHING, DEAREST),
    "hold_minutes": (1, 7 * 24 * 60),
    "staff_limit": (0, MOST_LIMIT),
    "manager_limit": (0, MOST_LIMIT),
    "tier_months": (1, 120),
    "tier_grace_days": (0, 3_650),
}
TERM_CHOICES: Mapping[str, list[str]] = {
    "expiry": TermsVersion.Expiry.values,
    "expiry_end": TermsVersion.ExpiryEnd.values,
    "tier_measure": TermsVersion.TierMeasure.values,
    "tier_window": TermsVersion.TierWindow.values,
    "tier_downgrade": TermsVersion.Downgrade.values,
}
EXPIRY_NEEDS: Mapping[str, Mapping[str, Range]] = {
    "days": {"expiry_count": (1, LONGEST_VALIDITY)},
    "months": {"expiry_count": (1, LONGEST_MONTHS)},
    "inactivity": {"expiry_count": (1, LONGEST_MONTHS)},
    "yearly": {"expiry_month": (1, 12), "expiry_day": (1, 31)},
}


class ProgrammeRuns(Conflict):
    """There is a programme already."""

    code = "programme_runs"
    message = _("There is a programme already.")


@transaction.atomic
def open_programme(
    *,
    name: str,
    starts_at: datetime,
    happened_at: datetime,
    actor: str,
    points: int = 1,
    per_amount: Decimal = Decimal(1),
    rounding: str = RuleVersion.Rounding.DOWN,
    pending_days: int = 14,
    point_value: Decimal = Decimal("0.01"),
    validity_days: int | None = None,
) -> Programme:
    """Open the programme with one earning rule and return it.

    starts_at: aware UTC; orders made before earn nothing.
    points, per_amount: so many whole points for each such amount of the organisation's currency.
    pending_days: local days after delivery within which things can be returned; 0–365.
    point_value: what a point is worth when shown to people.
    validity_days: local days from the first usable one; None: points never lapse.

    :raises ProgrammeRuns: there is one already; nothing is written.
    :raises InvalidInput: a value is out of its range; nothing is written.
    """
    if find_programme() is not None:
        raise ProgrammeRuns
    terms: dict[str, Any] = {
        "pending_days": pending_days,
        "point_value": point_value,
        "point_cost": point_value,
        "expiry": "days" if validity_days else "never",
        "expiry_count": validity_days,
    }
    if validity_days is not None:
        refuse(out_of_range("validity_days", validity_days, 1, LONGEST_VALIDITY))
    terms = checked_terms({**FIRST_TERMS, **terms})
    name = clean_line(name)
    if not name:
        raise InvalidInput(fields={"name": [str(_("Give the programme a name."))]})
    recorded_at = now()
    try:
        with transaction.atomic():
            programme = Programme.objects.create(
                name=name,
                starts_at=starts_at,
                currency=settings.KEEPWELL_CURRENCY,
                recorded_at=recorded_at,
            )
    except IntegrityError as error:  # somebody was quicker
        raise ProgrammeRuns from error
    TermsVersion.objects.create(
        programme=programme,
        number=1,
        valid_from=starts_at,
        actor=actor,
        recorded_at=recorded_at,
        **terms,
    )
    record_rule(
        programme,
        kind=EarningRule.Kind.AMOUNT.value,
        name=name,
        content={**EMPTY_RULE, "points": points, "per_amount": per_amount, "rounding": rounding},
        valid_from=starts_at,
        actor=actor,
    )
    record_event(
        kind="programme.opened",
        subject_kind="programme",
        subject_ref=programme.ref,
        occurred_at=happened_at,
        actor=actor,
        codes={"starts_at": starts_at.isoformat(), "points": points, "per": str(per_amount)},
    )
    return programme


def ensure_programme(
    *,
    starts_at: datetime,
    happened_at: datetime,
    name: str = "Points",
    points_per_unit: int = 1,
    pending_days: int = 14,
    point_value: Decimal = Decimal("0.01"),
    validity_days: int | None = None,
    actor: str = "system",
) -> Programme:
    """Return the running programme, opened with these terms if there was none.

    points_per_unit: whole points for each whole unit of the organisation's currency.
    """
    found = find_programme()
    if found is not None:
        return found
    try:
        return open_programme(
            name=name,
            starts_at=starts_at,
            happened_at=happened_at,
            actor=actor,
            points=points_per_unit,
            pending_days=pending_days,
            point_value=point_value,
            validity_days=validity_days,
        )
    except ProgrammeRuns:
        return Programme.objects.get(is_running=True)


@transaction.atomic
def change_terms(
    *, programme_id: int, valid_from: datetime, happened_at: datetime, actor: str, **changed: Any
) -> TermsVersion:
    """Change the programme's terms for purchases made from ``valid_from`` on; return them.

    changed: columns of :class:`TermsVersion` (``FIRST_TERMS``); what is left out stays as in the
    latest version. Others raise TypeError. Points that were earned keep their dates.

    :raises VersionTooEarly: ``valid_from`` is before ``happened_at``, or not after the latest
        version's; nothing is written.
    :raises InvalidInput: a value can't be meant, ``fields`` says which; nothing is written.
    :raises NotFound: there is no such programme.
    """
    if unknown := changed.keys() - FIRST_TERMS.keys():
        raise TypeError(f"not part of the terms: {sorted(unknown)}")
    programme = Programme.objects.select_for_update().filter(pk=programme_id).first()
    if programme is None:
        raise NotFound
    latest = programme.terms_versions.latest("valid_from")
    if valid_from < happened_at or valid_from <= latest.valid_from:
        raise VersionTooEarly(fields={"valid_from": [str(VersionTooEarly.message)]})
    terms = checked_terms({name: getattr(latest, name) for name in FIRST_TERMS} | changed)
    version = TermsVersion.objects.create(
        programme=programme,
        number=latest.number + 1,
        valid_from=valid_from,
        actor=actor,
        recorded_at=now(),
        **terms,
    )
    record_event(
        kind="terms.changed",
        subject_kind="programme",
        subject_ref=programme.ref,
        occurred_at=happened_at,
        actor=actor,
        codes={"version": version.number, "fields": sorted(changed)},
    )
    return version


def checked_terms(terms: dict[str, Any]) -> dict[str, Any]:
    """Return terms as stored, or refuse everything that is wrong with them at once.

    What a way of expiry doesn't need is dropped: it was another way's.

    :raises InvalidInput: ``fields`` says which.
    """
    problems: dict[str, list[str]] = {}
    for name, (lowest, highest) in TERM_RANGES.items():
        problems |= out_of_range(name, terms[name], lowest, highest)
    for name, choices in TERM_CHOICES.items():
        if terms[name] not in choices:
            problems[name] = [str(_("Choose from the list."))]
    needs = EXPIRY_NEEDS.get(terms["expiry"], {})
    for name, (lowest, highest) in needs.items():
        problems |= out_of_range(name, terms[name], lowest, highest)
    if terms["expiry"] == "yearly" and not problems:
        try:
            date(LEAP_YEAR, terms["expiry_month"], terms["expiry_day"])
        except ValueError:
            problems["expiry_day"] = [str(_("This month has no such day."))]
    if problems:
        raise InvalidInput(fields=problems)
    unneeded = {"expiry_count", "expiry_month", "expiry_day"} - needs.keys()
    dropped: dict[str, Any] = dict.fromkeys(unneeded)
    if "expiry_count" in unneeded:
        dropped["expiry_end"] = TermsVersion.ExpiryEnd.DAY.value
    return terms | dropped


def refuse(problems: dict[str, list[str]]) -> None:
    """Refuse if there are problems.

    :raises InvalidInput: there are.
    """
    if problems:
        raise InvalidInput(fields=problems)
