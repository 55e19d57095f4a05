"""What rules ask of buyers: read for a whole batch of purchases, and only if a rule asks.

The number of statements depends on what the rules ask for, never on the number of purchases.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import BigIntegerField, Count, Exists, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models import Value as Constant
from django.db.models.functions import Coalesce

from common.time import local_date, now
from crm.models import Order, OrderLine
from crm.selectors.audiences import Spell, audiences_at, spells_of
from crm.selectors.identity import every_record_of, groups_of
from loyalty.models import EarnedLine, PointsAccount, Programme
from loyalty.selectors.conditions import day_bounds
from loyalty.selectors.reckoning import Given, Line, Member
from loyalty.selectors.terms import Asks, Rule
from loyalty.selectors.tier_spells import TierSpell, tier_at, tier_spells


class Buyer(NamedTuple):
    """Who made a purchase and when. account_id: where their points stand; None: no member yet."""

    order_id: int | None
    customer_id: int
    account_id: int | None
    ordered_at: datetime


class Facts:
    """What was known of the buyers of some purchases, and what these earned meanwhile.

    is_again: the purchases earned before, which is left out of account.
    """

    def __init__(
        self,
        programme: Programme,
        buyers: Sequence[Buyer],
        asks: Asks,
        *,
        is_again: bool = False,
    ) -> None:
        self._asks = asks
        self._without = [one.order_id for one in buyers if one.order_id] if is_again else []
        customer_ids = {buyer.customer_id for buyer in buyers}
        asks_for_records = bool(asks.person or asks.audiences or asks.capped or asks.once)
        self._groups = groups_of(customer_ids) if asks_for_records and customer_ids else {}
        records = {record for group in self._groups.values() for record in group}
        self._accounts = _accounts_of(records) if asks.capped or asks.once else {}
        self._numbers = _numbers(programme, buyers, asks)
        self._spells: Mapping[int, list[Spell]] = (
            spells_of(records, asks.audiences) if asks.audiences else {}
        )
        self._tiers = _tiers_of(programme, buyers) if asks.tiers and buyers else {}
        self._had = self._read_had() if asks.once else frozenset()
        # (rule, account) → when how many points were earned; and all of them together.
        self._then: dict[tuple[int, int], list[tuple[datetime, int]]] = defaultdict(list)
        self._ever: dict[tuple[int, int], int] = defaultdict(int)
        self._read_earned(buyers)

    def member(self, buyer: Buyer, *, is_open: bool = True) -> Member:
        """Return what was known of a buyer when they bought."""
        asks, at = self._asks, buyer.ordered_at
        group = self._groups.get(buyer.customer_id, [buyer.customer_id])
        before, number = self._numbers.get(buyer.order_id, (0, 1))
        accounts = self._accounts_of(buyer)
        spells = [spell for record in group for spell in self._spells.get(record, ())]
        return Member(
            person_id=group[0],
            is_open=is_open,
            purchases_before=before,
            number=number,
            tier_id=tier_at(self._tiers.get(buyer.account_id or 0, ()), at),
            audiences=audiences_at(spells, at) if spells else frozenset(),
            had=frozenset(
                rule for rule in asks.once if any((rule, one) in self._had for one in accounts)
            )
            if asks.once
            else frozenset(),
            earned_today=self._earned(accounts, at, "today"),
            earned_in_window=self._earned(accounts, at, "window"),
        )

    def note(self, buyer: Buyer, lines: Sequence[Given]) -> None:
        """Take what a purchase earned into account for those that follow."""
        account = buyer.account_id or 0
        for line in lines:
            rule_id = line.rule.rule_id
            if line.is_once:
                self._had |= {(rule_id, account)}
            if any(rule.rule_id == rule_id for rule in self._asks.capped):
                self._then[rule_id, account].append((buyer.ordered_at, line.points))
                self._ever[rule_id, account] += line.points

    def _accounts_of(self, buyer: Buyer) -> list[int]:
        group = self._groups.get(buyer.customer_id, [])
        own = {self._accounts[record] for record in group if record in self._accounts}
        return sorted(own | {buyer.account_id or 0})

    def _earned(self, accounts: list[int], at: datetime, which: str) -> dict[int, int]:
        earned: dict[int, int] = {}
        for rule in self._asks.capped:
            bounds: tuple[datetime, datetime] | None
            if which == "today":
                bounds = day_bounds(local_date(at))
            else:
                bounds = rule.caps.window_of(local_date(at))
            earned[rule.rule_id] = sum(
                self._earned_within(rule.rule_id, account, bounds) for account in accounts
            )
        return earned

    def _earned_within(
        self, rule_id: int, account: int, bounds: tuple[datetime, datetime] | None
    ) -> int:
        if bounds is None:
            return self._ever[rule_id, account]
        return sum(
            points
            for moment, points in self._then[rule_id, account]
            if bounds[0] <= moment < bounds[1]
        )

    def _read_had(self) -> frozenset[tuple[int, int]]:
        keys = {
            once_key(rule, account): (rule, account)
            for rule in self._asks.once
            for account in self._accounts.values()
        }
        found = self._lines().filter(once__in=keys).values_list("once", flat=True)
        return frozenset(keys[key] for key in found if key)

    def _lines(self) -> QuerySet[EarnedLine]:
        if not self._without:
            return EarnedLine.objects.all()
        return EarnedLine.objects.exclude(transaction__order__in=self._without)

    def _read_earned(self, buyers: Sequence[Buyer]) -> None:
        rules, accounts = self._asks.capped, set(self._accounts.values())
        if not rules or not accounts:
            return
        earned = (
            self._lines()
            .filter(
                rule_version__rule__in={rule.rule_id for rule in rules},
                transaction__account__in=accounts,
            )
            .annotate(at=Coalesce("transaction__order__ordered_at", "transaction__effective_at"))
        )
        if any(rule.caps.per_member is not None and not rule.caps.window for rule in rules):
            totals = earned.values_list("rule_version__rule", "transaction__account")
            for rule_id, account, points in totals.annotate(Sum("points")).order_by():
                self._ever[rule_id, account] = points
        if bounds := _widest(rules, [buyer.ordered_at for buyer in buyers]):
            within = earned.filter(at__gte=bounds[0], at__lt=bounds[1])
            moments = within.values_list("rule_version__rule", "transaction__account", "at")
            for rule_id, account, at, points in moments.annotate(Sum("points")).order_by():
                self._then[rule_id, account].append((at, points))


def lines_of(order_ids: Collection[int]) -> dict[int, list[Line]]:
    """Return order id → lines as earning reads them, for orders that have some; one query."""
    lines: dict[int, list[Line]] = defaultdict(list)
    rows = OrderLine.objects.filter(order_id__in=order_ids).order_by("order_id", "pk")
    for order_id, product_id, occurrence, category, kind, amount in rows.values_list(
        "order_id", "product_id", "occurrence", "product__category", "product__kind", "amount"
    ):
        key = f"{product_id}:{occurrence}"
        lines[order_id].append(Line(key, product_id, category, kind, amount))
    return dict(lines)


def once_key(rule_id: int, account_id: int) -> str:
    """Return the key of what a rule gives an account only once."""
    return f"first:{rule_id}:{account_id}"


def _widest(rules: Sequence[Rule], moments: Sequence[datetime]) -> tuple[datetime, datetime] | None:
    """Return the time that holds every day and window in which the rules limit points."""
    found: list[tuple[datetime, datetime]] = []
    days = {local_date(moment) for moment in moments}
    for rule in rules:
        if rule.caps.per_day is not None:
            found += [day_bounds(day) for day in (min(days), max(days))]
        if rule.caps.per_member is not None:
            windows = [rule.caps.window_of(day) for day in (min(days), max(days))]
            found += [window for window in windows if window is not None]
    if not found:
        return None
    return min(start for start, _end in found), max(end for _start, end in found)


def _accounts_of(records: Collection[int]) -> dict[int, int]:
    accounts = PointsAccount.objects.filter(membership__customer_id__in=records)
    return dict(accounts.values_list("membership__customer_id", "pk"))


def _tiers_of(programme: Programme, buyers: Sequence[Buyer]) -> dict[int, list[TierSpell]]:
    moments = [buyer.ordered_at for buyer in buyers]
    accounts = {buyer.account_id for buyer in buyers if buyer.account_id}
    return tier_spells(programme, accounts, first=min(moments), last=max(moments), clock=now())


def _numbers(
    programme: Programme, buyers: Sequence[Buyer], asks: Asks
) -> dict[int | None, tuple[int, int]]:
    """Return order id → (whether anything was bought before, which purchase that counts it is).

    An invented purchase, without an id, comes alone and after all others of its instant.
    Reads indexes of the orders of each person, merged records included; cancelled ones don't count.
    """
    if not buyers or not (asks.before or asks.number):
        return {}
    taking = Q(entry=Order.Entry.LIVE, ordered_at__gte=programme.starts_at)
    order_ids = [buyer.order_id for buyer in buyers if buyer.order_id]
    if not order_ids:
        before_it = Order.objects.filter(
            customer_id__in=every_record_of(buyers[0].customer_id),
            ordered_at__lte=buyers[0].ordered_at,
        ).exclude(status=Order.Status.CANCELLED)
        return {None: (int(before_it.exists()), before_it.filter(taking).count() + 1)}
    person = Coalesce("customer__person_id", "customer_id", output_field=BigIntegerField())
    orders = Order.objects.filter(pk__in=order_ids).annotate(buyer=person)
    own = _earlier().filter(customer_id=OuterRef("buyer"))
    merged = _earlier().filter(customer__person_id=OuterRef("buyer"))
    if asks.before:
        orders = orders.annotate(before=Exists(own) | Exists(merged))
    else:
        orders = orders.annotate(before=Constant(False))
    if asks.number:
        orders = orders.annotate(
            number=_count(own.filter(taking)) + _count(merged.filter(taking)) + 1
        )
    else:
        orders = orders.annotate(number=Constant(1))
    return {
        pk: (int(before), number)
        for pk, before, number in orders.values_list("pk", "before", "number")
    }


def _earlier() -> QuerySet[Order]:
    """Orders made before the outer one; of those made at the same instant, the one known first."""
    return Order.objects.filter(
        Q(ordered_at__lt=OuterRef("ordered_at")) | Q(pk__lt=OuterRef("pk")),
        ordered_at__lte=OuterRef("ordered_at"),
    ).exclude(status=Order.Status.CANCELLED)


def _count(orders: QuerySet[Order]) -> Coalesce:
    counted: QuerySet[Any, Any] = (
        orders.order_by().annotate(one=Constant(1)).values("one").annotate(n=Count("pk"))
    )
    return Coalesce(Subquery(counted.values("n")), 0)
