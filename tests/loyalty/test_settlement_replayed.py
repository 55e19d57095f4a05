"""Whatever becomes of a purchase, in the end it has earned what is left of it, exactly once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.errors import DomainError
from crm.models import Order, Refund
from crm.selectors.refunds import refunds_in_force
from crm.services import change_order
from crm.services.order_lines import NewLine
from crm.services.refunds import LineBack, correct_refund, record_refund
from loyalty.models import EarnedLine, PointsAccount, PointsLot, PointsTransaction
from loyalty.selectors import verify_ledger
from loyalty.selectors.earning import earning_of
from loyalty.selectors.histories import histories_of
from loyalty.selectors.programme import get_programme, terms_of
from loyalty.services import accrue_due, add_rule, open_programme, release_due
from loyalty.services.settlement import settle_order
from tests.cast import ACTOR, NOON, make_customer, make_order, make_product
from tests.loyalty.ledger import spend
from tests.requirements import tries

pytestmark = pytest.mark.django_db

cents = st.integers(1, 20_000).map(lambda number: Decimal(number) / 100)
step = st.one_of(
    st.tuples(st.just("refund"), cents),
    st.tuples(st.just("refund_line"), st.integers(0, 2), cents),
    st.tuples(st.just("refund_all")),
    st.tuples(st.just("correct"), st.integers(0, 3), st.one_of(st.just(Decimal(0)), cents)),
    st.tuples(st.just("edit"), st.lists(cents, min_size=1, max_size=3)),
    st.tuples(st.just("status"), st.sampled_from(["placed", "delivered", "delivered"])),
    st.tuples(st.just("customer"), st.sampled_from([0, 1, None])),
    st.tuples(st.just("spend"), st.integers(0, 1), st.integers(1, 200)),
    st.tuples(st.just("wait"), st.integers(1, 90)),
    st.tuples(st.just("sweep"), st.booleans()),
    st.tuples(st.just("settle")),
)


@contextmanager
def undone() -> Iterator[None]:
    """Everything inside leaves no trace."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


class Shop:
    """One purchase, with or without lines, and what people do to it."""

    def __init__(self, clock: Any, amounts: list[Decimal], rounding: str, *, has_lines: bool):
        self.clock, self.has_lines = clock, has_lines
        clock.moment = NOON
        open_programme(
            name="Sunny",
            starts_at=NOON - timedelta(days=1),
            happened_at=NOON,
            actor=ACTOR,
            pending_days=3,
            rounding=rounding,
        )
        self.products = [make_product(category=name) for name in ("coffee", "cups", "cake")]
        rules: list[dict[str, Any]] = [
            {"kind": "bonus", "points": 25, "conditions": {"minimum_amount": "50"}},
            {
                "kind": "multiplier",
                "factor": Decimal("1.5"),
                "rounding": rounding,
                "per": "line",
                "conditions": {"categories": ["coffee"], "minimum_amount": "5"},
            },
        ]
        for number, fields in enumerate(rules if has_lines else rules[:1]):
            add_rule(
                name=f"Rule {number}",
                valid_from=NOON,
                happened_at=NOON,
                actor=ACTOR,
                **fields,
            )
        clock.forward(minutes=1)
        self.customers = [make_customer(), make_customer()]
        state: dict[str, Any] = {"lines": self.lines(amounts)} if has_lines else {}
        self.order = make_order(
            customer=self.customers[0],
            amount=None if has_lines else sum(amounts),
            ordered_at=clock(),
            **state,
        )

    def lines(self, amounts: list[Decimal]) -> list[NewLine]:
        return [
            NewLine(product.pk, Decimal(1), amount)
            for product, amount in zip(self.products, amounts, strict=False)
        ]

    def do(self, name: str, *given: Any) -> None:
        """One step; what the shop refuses changes nothing."""
        self.clock.forward(seconds=1)
        with suppress(DomainError), transaction.atomic():
            getattr(self, name)(*given)

    def refund(self, amount: Decimal) -> None:
        self._refund(amount=amount)

    def refund_line(self, number: int, amount: Decimal) -> None:
        line = self.order.lines.order_by("pk")[number : number + 1]
        self._refund(lines=[LineBack(one.pk, Decimal(0), amount) for one in line])

    def refund_all(self) -> None:
        self._refund()

    def _refund(self, **what: Any) -> None:
        at = self.clock()
        record_refund(order_id=self.order.pk, refunded_at=at, happened_at=at, actor=ACTOR, **what)

    def correct(self, number: int, amount: Decimal) -> None:
        for row in Refund.objects.order_by("pk")[number : number + 1]:
            correct_refund(refund_id=row.pk, amount=amount, happened_at=self.clock(), actor=ACTOR)

    def edit(self, amounts: list[Decimal]) -> None:
        if self.has_lines:
            self._change(lines=self.lines(amounts))
        else:
            self._change(amount=sum(amounts))

    def status(self, status: str) -> None:
        self._change(status=status)

    def customer(self, who: int | None) -> None:
        self._change(customer_id=None if who is None else self.customers[who].pk)

    def _change(self, **changes: Any) -> None:
        change_order(order_id=self.order.pk, happened_at=self.clock(), actor=ACTOR, **changes)

    def spend(self, who: int, points: int) -> None:
        if PointsAccount.objects.filter(membership__customer=self.customers[who]).exists():
            key = f"spend:{PointsTransaction.objects.count()}"
            spend(self.customers[who].pk, points, key, self.clock())

    def wait(self, hours: int) -> None:
        self.clock.forward(hours=hours)

    def sweep(self, everything: bool) -> None:
        accrue_due(self.clock(), everything=everything)
        release_due(self.clock())

    def settle(self) -> None:
        settle_order(order_id=self.order.pk, happened_at=self.clock(), actor=ACTOR)

    def expected(self) -> int:
        """What earning says of what is left."""
        self.order.refresh_from_db()
        order, programme = self.order, get_programme()
        [history] = histories_of({order.pk: order}).values()
        left = history.left_at(None, programme)
        given_back = refunds_in_force().aggregate(s=Sum("amount"))["s"] or Decimal(0)
        assert left.amount == max(Decimal(0), order.amount - given_back)
        assert not left.lines or sum(line.amount for line in left.lines) == left.amount
        if order.status != "delivered" or order.customer_id is None:
            return 0
        return earning_of(
            terms_of(programme),
            amount=left.amount,
            currency=left.currency,
            ordered_at=left.ordered_at,
            delivered_at=order.delivered_at or order.ordered_at,
            lines=left.lines,
        ).points


@given(
    amounts=st.lists(cents, min_size=1, max_size=3),
    rounding=st.sampled_from(["down", "half_up", "up"]),
    has_lines=st.booleans(),
    steps=st.lists(step, max_size=14),
)
@settings(
    max_examples=tries(24),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_the_points_are_those_of_what_is_left_whatever_happened_and_when(
    clock, amounts, rounding, has_lines, steps
) -> None:
    with undone():
        shop = Shop(clock, amounts, rounding, has_lines=has_lines)
        for name, *given_with in steps:
            shop.do(name, *given_with)
        clock.forward(seconds=1)
        shop.sweep(everything=True)
        lines = EarnedLine.objects.filter(source=f"order:{shop.order.pk}")
        net = lines.aggregate(s=Sum("points"))["s"] or 0
        assert net == shop.expected()
        total = PointsTransaction.objects.filter(order=shop.order).exclude(kind="redeem")
        assert net == (total.aggregate(s=Sum("points"))["s"] or 0)
        for root in lines.filter(settles__isnull=True):
            settled = lines.filter(settles=root).aggregate(s=Sum("points"))["s"] or 0
            assert root.points + settled >= 0  # never more is taken back than was given
        for account in PointsAccount.objects.all():
            assert account.debt == 0 or account.active == 0
        assert all(lot.remaining <= lot.original for lot in PointsLot.objects.all())
        before = PointsTransaction.objects.count()
        shop.sweep(everything=True)
        shop.settle()
        assert PointsTransaction.objects.count() == before
        answered = PointsTransaction.objects.filter(source_key__startswith="refund:").count()
        if Order.objects.filter(pk=shop.order.pk, status="delivered").exists() and before:
            assert answered in (0, Refund.objects.count())
        assert verify_ledger().drifts == []
