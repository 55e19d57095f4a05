"""Orders with something to settle: what they earned, what is left of it, what waits for an answer.

Everything here reads; orders are locked on the way, in the order of their ids.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from crm.models import Order
from loyalty.models import EarnedLine, PointsLot, PointsTransaction
from loyalty.selectors.due import earn_key, order_source, reversal_key
from loyalty.selectors.histories import Fact, History, histories_of
from loyalty.selectors.settling import LineKey, Recorded, Root
from loyalty.services.ledger import EarnedPoints


class Earn(NamedTuple):
    """The transaction by which an order earned."""

    pk: int
    account_id: int
    reason: str
    recorded_at: datetime


@dataclass(slots=True)
class Case:
    """An order with facts that wait for their answer."""

    order: Order
    earn: Earn
    history: History
    facts: list[Fact]
    recorded: dict[int, Recorded] = field(default_factory=dict)
    transactions: set[int] = field(default_factory=set)  # that its points came with

    @property
    def roots(self) -> dict[LineKey, Root]:
        """What it earned, and what is left of that, by rule version and line."""
        return {
            (version, line): root
            for version, one in self.recorded.items()
            for line, root in one.roots.items()
        }

    @property
    def net(self) -> int:
        """Points that the order has now."""
        return sum(one.net for one in self.recorded.values())


def cases_of(order_ids: Collection[int], happened_at: datetime) -> list[Case]:
    """Return the orders that earned and have something to answer, locked."""
    locked = Order.objects.select_for_update(no_key=True).filter(
        pk__in=order_ids, entry=Order.Entry.LIVE
    )
    orders = {order.pk: order for order in locked.order_by("pk")}
    keys = {earn_key(pk): pk for pk in orders}
    earns = {
        keys[one.source_key]: Earn(one.pk, one.account_id, one.reason, one.recorded_at)
        for one in PointsTransaction.objects.filter(source_key__in=keys)
    }
    histories = histories_of({pk: order for pk, order in orders.items() if pk in earns})
    answers = dict(
        PointsTransaction.objects.filter(
            source_key__in=[key for history in histories.values() for key in history.answer_keys()]
        ).values_list("source_key", "pk")
    )
    cases = []
    for pk, history in histories.items():
        facts = history.waiting(answers, earns[pk].recorded_at)
        cancelled = history.cancellation(answers, happened_at)
        if facts or cancelled:
            facts += [cancelled] if cancelled else []
            cases.append(Case(orders[pk], earns[pk], history, facts))
    read_recorded(cases)
    return [case for case in cases if _is_settled_here(case, answers)]


def _is_settled_here(case: Case, answers: Mapping[str, int]) -> bool:
    """Whether there is something to do; where nothing was given, nothing is taken back.

    What was taken back before rules were recorded line by line stays as it is.
    """
    cancelled = answers.get(reversal_key(case.order.pk))
    if cancelled is not None and case.recorded and cancelled not in case.transactions:
        return False
    if not any(root.points for root in case.roots.values()):
        case.facts = [fact for fact in case.facts if fact.key != reversal_key(case.order.pk)]
    return bool(case.facts)


def read_recorded(cases: Collection[Case]) -> None:
    """Read what rules gave the orders, and what was settled of it; two queries."""
    sources = {order_source(case.order.pk): case for case in cases}
    if not sources:
        return
    roots: dict[int, EarnedLine] = {}
    for line in EarnedLine.objects.filter(source__in=sources, settles__isnull=True).order_by("pk"):
        roots[line.pk] = line
    settled: dict[int, int] = defaultdict(int)
    transactions: dict[str, set[int]] = defaultdict(set)
    rows = EarnedLine.objects.filter(settles__in=roots)
    for settles_id, transaction_id, points in rows.values_list(
        "settles_id", "transaction_id", "points"
    ):
        settled[settles_id] += points
        transactions[roots[settles_id].source].add(transaction_id)
    found: dict[str, dict[int, dict[str, Root]]] = defaultdict(lambda: defaultdict(dict))
    for pk, line in roots.items():
        transactions[line.source].add(line.transaction_id)
        found[line.source][line.rule_version_id][line.line] = Root(
            pk, line.transaction_id, line.base, line.points, line.points + settled[pk]
        )
    for source, case in sources.items():
        case.transactions = transactions[source]
        case.recorded = {version: Recorded(lines) for version, lines in found[source].items()}


def own_lots(cases: Iterable[Case]) -> dict[int, list[PointsLot]]:
    """Return order id → the lots its points came in, oldest first; one query."""
    orders = {pk: case.order.pk for case in cases for pk in case.transactions}
    found: dict[int, list[PointsLot]] = defaultdict(list)
    for lot in PointsLot.objects.filter(transaction__in=orders).order_by("pk"):
        found[orders[lot.transaction_id]].append(lot)
    return found


def lines_between(
    case: Case,
    present: Mapping[LineKey, tuple[Decimal | None, int]],
    target: Mapping[LineKey, tuple[Decimal | None, int]],
) -> list[EarnedPoints]:
    """Return the earned lines that lead from what there is to what there should be."""
    roots = case.roots
    lines = []
    for key in sorted(present.keys() | target.keys()):
        base, points = target.get(key, (Decimal(0), 0))
        change = points - present.get(key, (None, 0))[1]
        if change:
            version, line = key
            lines.append(
                EarnedPoints(
                    rule_version_id=version,
                    source=order_source(case.order.pk),
                    line=line,
                    base=base,
                    points=change,
                    settles_id=roots[key].pk if key in roots else None,
                )
            )
    return lines
