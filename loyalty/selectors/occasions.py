"""Whom a bonus other than for a purchase is due: who joined, and whose birthday it was."""

from __future__ import annotations

from calendar import isleap
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import ExtractDay, ExtractMonth

from crm.models import Customer
from loyalty.models import EarningRule, Membership, PointsTransaction, Programme
from loyalty.selectors.due import ids_of, keyed
from loyalty.selectors.terms import Terms

PAGE = 5_000  # customers read ahead
ONE_DAY = timedelta(days=1)
FEBRUARY_28, FEBRUARY_29 = 228, 229


def has_rules(terms: Terms, kind: EarningRule.Kind) -> bool:
    """Whether anything was ever paid for this."""
    return any(rule.kind == kind for rule in terms.rules)


def due_sign_ups(programme: Programme, terms: Terms) -> QuerySet[Membership]:
    """Return members not yet paid for joining, who joined when joining was first paid for or later.

    Without those who were brought along from another system.
    """
    kind = EarningRule.Kind.SIGN_UP
    since = min(rule.valid_from for rule in terms.rules if rule.kind == kind)
    brought = PointsTransaction.objects.filter(
        account__membership=OuterRef("pk"), kind=PointsTransaction.Kind.OPENING
    )
    return Membership.objects.filter(
        ~Exists(keyed("bonus:sign_up:", OuterRef("pk"))),
        ~Exists(brought),
        programme=programme,
        joined_at__gte=max(programme.starts_at, since),
    )


def celebrated(first: date, last: date) -> dict[int, date]:
    """Return month and day of birth (229: the 29th of February) → the day it is celebrated.

    For the days from first to last, both included, at most a year. Who was born on a 29th of
    February celebrates on the 28th in other years.
    """
    days = {}
    day = first
    while day <= last:
        number = day.month * 100 + day.day
        days[number] = day
        if number == FEBRUARY_28 and not isleap(day.year):
            days[FEBRUARY_29] = day
        day += ONE_DAY
    return days


def birthdays(first: date, last: date) -> Iterator[tuple[int, date]]:
    """Yield (customer id, day) of everybody whose birthday it was from first to last.

    Whoever was not born yet has none. Reads a page at a time.
    """
    days = celebrated(first, last)
    born = (
        Customer.objects.filter(birth_date__isnull=False, erased_at__isnull=True)
        .annotate(number=ExtractMonth("birth_date") * 100 + ExtractDay("birth_date"))
        .filter(number__in=days, birth_date__lt=first)
        .order_by("pk")
    )
    after = 0
    while True:
        page = list(born.filter(pk__gt=after).values_list("pk", "number")[:PAGE])
        yield from ((pk, days[number]) for pk, number in page)
        if len(page) < PAGE:
            return
        after = page[-1][0]


def unpaid_birthdays(found: Iterable[tuple[int, date]]) -> dict[int, date]:
    """Return those of the birthdays that belong to members and were not paid yet; two queries."""
    days = dict(found)
    members = Customer.objects.filter(pk__in=days).filter(
        Exists(Membership.objects.filter(customer=OuterRef("pk")))
        | Exists(Membership.objects.filter(customer=OuterRef("person")))
        | Exists(Membership.objects.filter(customer__person=OuterRef("pk")))
    )
    keys = {f"bonus:birthday:{pk}:{day.year}": pk for pk, day in days.items()}
    paid = {
        keys[key]
        for key in PointsTransaction.objects.filter(source_key__in=keys).values_list(
            "source_key", flat=True
        )
    }
    return {
        pk: days[pk] for pk in members.order_by("pk").values_list("pk", flat=True) if pk not in paid
    }


def window_of(terms: Terms, today: date, days: int) -> tuple[date, date] | None:
    """Return the days whose birthdays are still paid at ``today``; None: nothing was ever paid."""
    if not has_rules(terms, EarningRule.Kind.BIRTHDAY):
        return None
    return today - timedelta(days=days), today


def joined_since(members: QuerySet[Membership], since: datetime | None) -> Iterator[int]:
    """Yield ids of those members of whom we learned since then; None: of all, a page at a time."""
    if since is not None:
        members = members.filter(recorded_at__gte=since)
    return ids_of(members)
