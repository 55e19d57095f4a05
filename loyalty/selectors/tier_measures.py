"""What members have reached, read for many of them at once: points, money or purchases by day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from django.db.models import BigIntegerField, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from common.money import UNITS_PER_ONE, to_units
from common.time import local_date, start_of_day
from crm.models import IdentityLink, Order
from crm.selectors.identity import groups_of
from crm.selectors.refunds import refunds_in_force
from loyalty.models import PointsAccount, PointsTransaction, Programme, TermsVersion
from loyalty.selectors.due import qualifying_orders
from loyalty.selectors.tier_course import Measure, Policy

Kind, Reason = PointsTransaction.Kind, PointsTransaction.Reason
TierMeasure = TermsVersion.TierMeasure
# What was never earned doesn't count when it is taken back.
EARNED = Q(kind=Kind.EARN) | (
    Q(kind__in=[Kind.REVERSAL, Kind.SETTLE]) & ~Q(reason__in=[Reason.UNDONE, Reason.CLOSED])
)


class Counted(NamedTuple):
    """Something that counts. amount: in 1/10,000 of the measure's unit."""

    customer_id: int
    moment: datetime
    amount: int


def measures_of(
    account_ids: Collection[int], *, programme: Programme, terms: TermsVersion, since: datetime
) -> dict[int, Measure]:
    """Return account id → what the person has reached, for the accounts where points stand.

    Accounts that were merged into another are left out.
    terms: those in force now.  since: the earliest moment for which the measure will be asked.
    At most six queries, whatever the number of accounts.
    """
    holders = dict(
        PointsAccount.objects.filter(pk__in=account_ids).values_list(
            "membership__customer_id", "pk"
        )
    )
    groups = groups_of(holders) if holders else {}
    homes = _homes(groups)
    measures = _measures(groups, programme=programme, terms=terms, since=since)
    return {
        account: measures[group[0]]
        for customer, account in holders.items()
        if homes[(group := groups[customer])[0]] == account
    }


def measure_of(
    customer_id: int, *, programme: Programme, terms: TermsVersion, since: datetime
) -> Measure:
    """Return what the person whose record this is has reached; at most five queries."""
    groups = groups_of([customer_id])
    measures = _measures(groups, programme=programme, terms=terms, since=since)
    return measures[groups[customer_id][0]]


def _measures(
    groups: Mapping[int, list[int]],
    *,
    programme: Programme,
    terms: TermsVersion,
    since: datetime,
) -> dict[int, Measure]:
    """Return person id → what they have reached. groups: record id → the person's records."""
    persons = {record: group[0] for group in groups.values() for record in group}
    policy = Policy.of(terms)
    earliest = start_of_day(min(first for first, _end in policy.windows(local_date(since))))
    by_day: dict[int, dict[date, int]] = defaultdict(lambda: defaultdict(int))
    for one in _counted(programme, terms.tier_measure, persons, earliest):
        if (person := persons.get(one.customer_id)) is not None:
            by_day[person][local_date(one.moment)] += one.amount
    return {person: Measure(by_day[person], policy) for person in set(persons.values())}


def _homes(groups: Mapping[int, list[int]]) -> dict[int, int]:
    """Return person id → account id where the person's points stand."""
    records = {record for group in groups.values() for record in group}
    accounts = dict(
        PointsAccount.objects.filter(membership__customer_id__in=records).values_list(
            "membership__customer_id", "pk"
        )
    )
    return {
        group[0]: next(accounts[record] for record in group if record in accounts)
        for group in groups.values()
    }


def _counted(
    programme: Programme, measure: str, records: Collection[int], earliest: datetime
) -> Iterator[Counted]:
    if measure == TierMeasure.POINTS:
        yield from _points(records, earliest)
        return
    for customer_id, moment, amount, refunded in _purchases(programme, records, earliest):
        left = to_units(amount) - (refunded or 0)
        if measure == TierMeasure.SPEND:
            yield Counted(customer_id, moment, max(0, left))
        elif left > 0 or not refunded:  # what was given back whole was no purchase
            yield Counted(customer_id, moment, UNITS_PER_ONE)


def _points(records: Collection[int], earliest: datetime) -> Iterator[Counted]:
    """Yield points earned and taken back, dated by the purchase, of whoever made it.

    Points of a record stood in another's account while the two were one person.
    """
    links = IdentityLink.objects.filter(
        Q(record__in=records) | Q(person__in=records), until__isnull=False
    ).values_list("record_id", "person_id")
    concerned = {*records, *(customer_id for link in links for customer_id in link)}
    accounts = PointsAccount.objects.filter(membership__customer_id__in=concerned)
    rows = (
        PointsTransaction.objects.filter(EARNED, account__in=accounts.values("pk"))
        .exclude(points=0)
        .annotate(
            whose=Coalesce("order__customer_id", "account__membership__customer_id"),
            moment=Coalesce("order__ordered_at", "reverses__effective_at", "effective_at"),
        )
        .filter(moment__gte=earliest)
    )
    for customer_id, moment, points in rows.values_list("whose", "moment", "points"):
        yield Counted(customer_id, moment, points * UNITS_PER_ONE)


def _purchases(
    programme: Programme, records: Collection[int], earliest: datetime
) -> QuerySet[Order, Any]:
    """Return the person's purchases that take part, with what was given back (1/10,000)."""
    given_back = (
        refunds_in_force()
        .filter(order=OuterRef("pk"))
        .order_by()
        .values("order")
        .annotate(total=Sum("amount", output_field=BigIntegerField()))
        .values("total")
    )
    return (
        qualifying_orders(programme)
        .filter(customer_id__in=records, currency=programme.currency, ordered_at__gte=earliest)
        .annotate(refunded=Subquery(given_back, output_field=BigIntegerField()))
        .values_list("customer_id", "ordered_at", "amount", "refunded")
    )
