"""What a bonus brought: members it was for against a control group drawn by chance.

The group is drawn by a hash of the rule's salt and the person, so it was fixed before anybody
bought. Everybody is counted in the arm they were drawn for, whether or not they bought (intention
to treat). Heavy libraries are imported only when a figure is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from math import isfinite, sqrt
from typing import TYPE_CHECKING, Any

from django.db.models import BigIntegerField, Count, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from common.money import QUANTUM, UNITS_PER_ONE, from_units, to_units
from common.time import start_of_day
from crm.models import Order
from crm.selectors.audiences import members_at
from crm.selectors.identity import persons_of
from crm.selectors.refunds import refunds_in_force
from loyalty.models import EarnedLine, Membership, Programme, RuleVersion, TierAssignment
from loyalty.selectors.conditions import Conditions
from loyalty.selectors.due import qualifying_orders
from loyalty.selectors.programme import conditions_of
from loyalty.selectors.reckoning import is_held_out

if TYPE_CHECKING:
    import numpy as np

Z = 1.959963984540054  # of a 95 % interval
PERSON = Coalesce("customer__person_id", "customer_id", output_field=BigIntegerField())
NOT_BEGUN, NO_MEMBERS, NO_CONTROL, NO_TREATED = "not_begun", "no_members", "no_control", "no_bonus"


@dataclass(frozen=True, slots=True)
class Arm:
    """One side of the comparison.

    members: how many.  buyers: of those, who bought.  share: of buyers, 0 to 1.  spend: money, less
    refunds, and orders: purchases, per member. None without members.
    """

    members: int
    buyers: int
    share: Decimal | None
    spend: Decimal | None
    orders: Decimal | None


@dataclass(frozen=True, slots=True)
class Difference:
    """With the bonus less without it, and the interval that covers the truth in 95 of 100 cases."""

    value: Decimal
    low: Decimal
    high: Decimal

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves no doubt which side did better."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class Lift:
    """What a version of a rule brought in ``[since, until)``.

    treated: members the bonus was for; control: those drawn out of it. Differences are None where
    an arm has too few members (one for the share, two for the means); ``problem`` says why nothing
    can be told at all: ``not_begun``, ``no_members``, ``no_control``, ``no_bonus``; else empty.
    points: what the version gave, less what was taken back, to anybody.  cost: in ``currency``.
    """

    version: RuleVersion
    since: datetime
    until: datetime
    is_over: bool
    treated: Arm
    control: Arm
    share: Difference | None
    spend: Difference | None
    orders: Difference | None
    points: int
    cost: Decimal
    currency: str
    problem: str


def list_campaigns() -> QuerySet[RuleVersion]:
    """Return the versions of rules that have a control group, newest first, with their rule."""
    return (
        RuleVersion.objects.filter(holdout_percent__gt=0)
        .select_related("rule__programme")
        .order_by("-valid_from", "-pk")
    )


def lift_of(version: RuleVersion, at: datetime) -> Lift:
    """Return what a version of a rule with a control group brought up to ``at``.

    Compared are members who had joined before it began and were in its audience and tiers then; a
    person with several cards counts once. Their purchases that take part, in the programme's
    currency, from its beginning until it ended or ``at``. At most ten queries.

    version: read with its rule and programme.
    """
    programme = version.rule.programme
    conditions = Conditions.parse(version.conditions)
    since, until = _window(version, conditions, at)
    people = _people(programme, conditions, since) if since < until else set()
    outcomes = _outcomes(programme, since, until) if people else {}
    treated, control = _Sample(), _Sample()
    for person_id in people:
        sample = control if is_held_out(version, person_id) else treated
        sample.add(*outcomes.get(person_id, (0, 0)))
    points = EarnedLine.objects.filter(rule_version=version).aggregate(total=Sum("points"))["total"]
    cost = (points or 0) * conditions_of(programme, at).point_cost
    return Lift(
        version=version,
        since=since,
        until=until,
        is_over=until < at,
        treated=treated.arm(),
        control=control.arm(),
        share=_share_difference(treated, control),
        spend=_mean_difference(treated.spend, control.spend, UNITS_PER_ONE),
        orders=_mean_difference(treated.orders, control.orders, 1),
        points=points or 0,
        cost=cost,
        currency=programme.currency,
        problem=_problem(since < until, treated, control),
    )


def _problem(has_begun: bool, treated: _Sample, control: _Sample) -> str:
    if not has_begun:
        return NOT_BEGUN
    if not treated.orders and not control.orders:
        return NO_MEMBERS
    if not control.orders:
        return NO_CONTROL
    return "" if treated.orders else NO_TREATED


def _window(
    version: RuleVersion, conditions: Conditions, at: datetime
) -> tuple[datetime, datetime]:
    """Return ``[since, until)``: while the version was in force, within its first and last day."""
    later = RuleVersion.objects.filter(rule=version.rule_id, valid_from__gt=version.valid_from)
    ends = [at, *later.order_by("valid_from").values_list("valid_from", flat=True)[:1]]
    since = version.valid_from
    if conditions.starts_on is not None:
        since = max(since, start_of_day(conditions.starts_on))
    if conditions.ends_on is not None:
        ends.append(start_of_day(conditions.ends_on + timedelta(days=1)))
    return since, min(ends)


def _people(programme: Programme, conditions: Conditions, since: datetime) -> set[int]:
    """Return the persons the bonus could be for when it began."""
    members = Membership.objects.filter(
        programme=programme, joined_at__lt=since, customer__erased_at__isnull=True
    ).exclude(status=Membership.Status.CLOSED)
    if conditions.tiers:
        in_tiers = TierAssignment.objects.filter(
            Q(until__isnull=True) | Q(until__gt=since),
            tier__in=conditions.tiers,
            since__lte=since,
        )
        members = members.filter(account__in=in_tiers.values("account"))
    people = set(members.annotate(person=PERSON).values_list("person", flat=True))
    if conditions.audience is not None and people:
        chosen = members_at(conditions.audience, since).values_list("customer_id", flat=True)
        people &= set(persons_of(set(chosen)).values())
    return people


def _outcomes(
    programme: Programme, since: datetime, until: datetime
) -> Mapping[int, tuple[int, int]]:
    """Return person id → (money less refunds in 1/10,000, purchases); two queries."""
    orders = qualifying_orders(programme).filter(
        currency=programme.currency, ordered_at__gte=since, ordered_at__lt=until
    )
    bought: QuerySet[Order, Any] = (
        orders.annotate(buyer=PERSON)
        .values_list("buyer")
        .annotate(money=Sum("amount"), purchases=Count("pk"))
        .order_by()
    )
    found = {person: (to_units(money), count) for person, money, count in bought}
    back = (
        refunds_in_force()
        .filter(order__in=orders.values("pk"))
        .annotate(
            buyer=Coalesce(
                "order__customer__person_id",
                "order__customer_id",
                output_field=BigIntegerField(),
            )
        )
        .values_list("buyer")
        .annotate(money=Sum("amount"))
        .order_by()
    )
    for person, money in back:
        spent, count = found[person]
        found[person] = (max(0, spent - to_units(money)), count)
    return found


class _Sample:
    """The outcomes of an arm's members, one number each."""

    def __init__(self) -> None:
        self.spend: list[int] = []
        self.orders: list[int] = []
        self.buyers = 0

    def add(self, spend: int, orders: int) -> None:
        """Note a member's outcome."""
        self.spend.append(spend)
        self.orders.append(orders)
        self.buyers += orders > 0

    def arm(self) -> Arm:
        """Return the sums as they are shown."""
        members = len(self.orders)
        if not members:
            return Arm(0, 0, None, None, None)
        return Arm(
            members=members,
            buyers=self.buyers,
            share=_rounded(self.buyers / members),
            spend=from_units(round(sum(self.spend) / members)),
            orders=_rounded(sum(self.orders) / members),
        )


def _share_difference(treated: _Sample, control: _Sample) -> Difference | None:
    """Newcombe's interval of a difference of two shares, out of Wilson's of each."""
    if not treated.orders or not control.orders:
        return None
    one, one_low, one_high = _wilson(treated.buyers, len(treated.orders))
    two, two_low, two_high = _wilson(control.buyers, len(control.orders))
    value = one - two
    low = value - sqrt((one - one_low) ** 2 + (two_high - two) ** 2)
    high = value + sqrt((one_high - one) ** 2 + (two - two_low) ** 2)
    return Difference(_rounded(value), _rounded(low), _rounded(high))


def _wilson(count: int, of: int) -> tuple[float, float, float]:
    share = count / of
    middle = (share + Z**2 / (2 * of)) / (1 + Z**2 / of)
    half = Z * sqrt(share * (1 - share) / of + Z**2 / (4 * of**2)) / (1 + Z**2 / of)
    return share, max(0.0, middle - half), min(1.0, middle + half)


def _mean_difference(treated: list[int], control: list[int], unit: int) -> Difference | None:
    """Welch's interval of a difference of two means; values in ``1/unit``."""
    if len(treated) < 2 or len(control) < 2:
        return None
    import numpy as np
    from scipy.special import stdtrit

    sides: list[np.ndarray[Any, Any]] = [
        np.asarray(side, dtype=np.float64) / unit for side in (treated, control)
    ]
    value = float(sides[0].mean() - sides[1].mean())
    parts = [float(side.var(ddof=1)) / side.size for side in sides]
    spread = sum(parts)
    quantile: Callable[[float, float], float] = stdtrit
    half = 0.0
    if spread > 0:
        freedom = spread**2 / sum(
            part**2 / (side.size - 1) for part, side in zip(parts, sides, strict=True)
        )
        half = float(quantile(freedom, 0.975)) * sqrt(spread)
    if not isfinite(half):
        return None
    return Difference(_rounded(value), _rounded(value - half), _rounded(value + half))


def _rounded(value: float) -> Decimal:
    return Decimal(value).quantize(QUANTUM)
