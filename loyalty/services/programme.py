"""Setting up the programme and changing what it pays."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, InvalidInput
from common.services import record_event
from common.time import now
from common.validators import clean_line
from loyalty.models import EarningRule, Programme, RuleVersion, TermsVersion
from loyalty.selectors.programme import find_programme

MOST_POINTS = 10_000
LEAST_AMOUNT = Decimal("0.01")
LONGEST_WINDOW = 365
LONGEST_VALIDITY = 36_500


class ProgrammeRuns(Conflict):
    """There is a programme already."""

    code = "programme_runs"
    message = _("There is a programme already.")


class VersionTooEarly(Conflict):
    """A rule can only be changed for orders still to come."""

    code = "version_too_early"
    message = _("A change can't reach back: choose a later time.")


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
    _refuse_outside(pending_days=(pending_days, 0, LONGEST_WINDOW))
    _refuse_outside(point_value=(point_value, 0, 1_000_000))
    if validity_days is not None:
        _refuse_outside(validity_days=(validity_days, 1, LONGEST_VALIDITY))
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
        pending_days=pending_days,
        point_value=point_value,
        point_cost=point_value,
        expiry=TermsVersion.Expiry.DAYS if validity_days else TermsVersion.Expiry.NEVER,
        expiry_count=validity_days,
        actor=actor,
        recorded_at=recorded_at,
    )
    rule = EarningRule.objects.create(programme=programme, name=name, recorded_at=recorded_at)
    _record_version(
        rule,
        points=points,
        per_amount=per_amount,
        rounding=rounding,
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
def change_rule(
    *,
    rule_id: int,
    points: int,
    per_amount: Decimal,
    rounding: str,
    valid_from: datetime,
    happened_at: datetime,
    actor: str,
) -> RuleVersion:
    """Add a version of a rule for orders made from ``valid_from`` on; what was earned stays.

    :raises VersionTooEarly: ``valid_from`` is before now or before the latest version's.
    :raises InvalidInput: a value is out of its range; nothing is written.
    """
    rule = EarningRule.objects.select_for_update().select_related("programme").get(pk=rule_id)
    latest = rule.versions.aggregate(latest=Max("valid_from"))["latest"]
    if valid_from < happened_at or (latest is not None and valid_from <= latest):
        raise VersionTooEarly
    version = _record_version(
        rule,
        points=points,
        per_amount=per_amount,
        rounding=rounding,
        valid_from=valid_from,
        actor=actor,
    )
    record_event(
        kind="rule.changed",
        subject_kind="rule",
        subject_ref=rule.ref,
        occurred_at=happened_at,
        actor=actor,
        codes={"version": version.number, "points": points, "per": str(per_amount)},
    )
    return version


def _record_version(
    rule: EarningRule,
    *,
    points: int,
    per_amount: Decimal,
    rounding: str,
    valid_from: datetime,
    actor: str,
) -> RuleVersion:
    _refuse_outside(points=(points, 1, MOST_POINTS))
    _refuse_outside(per_amount=(per_amount, LEAST_AMOUNT, 1_000_000))
    if rounding not in RuleVersion.Rounding.values:
        raise InvalidInput(fields={"rounding": [str(_("Choose how points are rounded."))]})
    return RuleVersion.objects.create(
        rule=rule,
        number=rule.versions.count() + 1,
        points=points,
        per_amount=per_amount,
        rounding=rounding,
        valid_from=valid_from,
        actor=actor,
        recorded_at=now(),
    )


def _refuse_outside(**ranges: tuple[Decimal | int, Decimal | int, Decimal | int]) -> None:
    for name, (value, lowest, highest) in ranges.items():
        if not lowest <= value <= highest:
            text = _("Enter a number from %(lowest)s to %(highest)s.")
            raise InvalidInput(fields={name: [text % {"lowest": lowest, "highest": highest}]})
