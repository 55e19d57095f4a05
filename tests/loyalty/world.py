"""The world in which the ledger's promises are tested: members, a clock, what must always hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from accounts.models import Role
from accounts.services import create_user
from common.time import local_date
from crm.models import Order
from loyalty.models import (
    Bucket,
    PointsAccount,
    PointsEntry,
    PointsLot,
    PointsTransaction,
    TermsVersion,
)
from loyalty.selectors import balance_of, past_balance_of, verify_ledger
from loyalty.selectors.balances import Balance
from loyalty.selectors.journal import find_account
from loyalty.selectors.tier_measures import measure_of
from loyalty.services import accrue_due, add_rule, open_programme, release_due
from loyalty.services.expiry import expire_due
from loyalty.services.holds import time_out_due
from tests.cast import ACTOR, NOON, make_customer
from tests.loyalty.spending import make_reward

CUSTOMERS = 3
WHO = st.integers(0, CUSTOMERS - 1)
POINTS = st.integers(1, 80)
BONUSES = ("survey", "review")
START = NOON - timedelta(days=2)
TERMS: list[dict[str, Any]] = [
    {"expiry": "never"},
    {"expiry": "days", "expiry_count": 4},
    {"expiry": "months", "expiry_count": 1, "expiry_end": "month"},
    {"expiry": "yearly", "expiry_month": 3, "expiry_day": 9},
    {"expiry": "inactivity", "expiry_count": 1},
]


class World(RuleBasedStateMachine):
    """Three customers, points usable after three days, and lapsing in one of five ways."""

    clock: Any

    def __init__(self) -> None:
        super().__init__()
        self.rolled_back = transaction.atomic()
        self.rolled_back.__enter__()
        self.clock.moment = NOON
        self.programme = open_programme(
            name="Sunny", starts_at=START, happened_at=NOON, actor=ACTOR, pending_days=3
        )
        self.customers = [make_customer() for _ in range(CUSTOMERS)]
        self.manager = create_user(email="m@keepwell.example", role=Role.MANAGER, name="Mara")
        self.reward = make_reward("payment", points=1, starts_at=START)
        for kind in BONUSES:
            add_rule(
                kind=kind,
                name=kind,
                points=15,
                valid_from=NOON,
                happened_at=NOON,
                actor=ACTOR,
            )
        self.orders: list[Order] = []
        self.merges: list[Any] = []
        self.known: dict[tuple[int, datetime], Balance] = {}
        self.keys = 0
        self.all_were_open = True

    @initialize(terms=st.sampled_from(TERMS))
    def choose_terms(self, terms: dict[str, Any]) -> None:
        first = TermsVersion.objects.get()
        first.pk, first.number, first.valid_from = None, 2, START - timedelta(days=1)
        for name, value in terms.items():
            setattr(first, name, value)
        first.save(force_insert=True)

    def teardown(self) -> None:
        try:
            for (customer_id, moment), balance in self.known.items():
                assert past_balance_of(customer_id, moment) == balance  # 16
        finally:
            transaction.set_rollback(True)
            self.rolled_back.__exit__(None, None, None)

    # What it looks at

    def balances(self) -> list[Balance]:
        return [balance_of(customer.pk, self.clock()) for customer in self.customers]

    def drawn(self, data: st.DataObject, model: Any) -> Any:
        return data.draw(st.sampled_from(list(model.objects.order_by("pk"))))

    @contextmanager
    def tiers_stay(self) -> Iterator[None]:
        """17: what follows lowers nobody's points that count for a tier."""
        before = self.reached()
        yield
        assert self.reached() == before

    def reached(self) -> list[int]:
        terms = TermsVersion.objects.latest("number")
        day = local_date(self.clock())
        return [
            measure_of(
                customer.pk, programme=self.programme, terms=terms, since=self.clock()
            ).reached(day)
            for customer in self.customers
        ]

    def is_open(self, who: int) -> bool:
        account = find_account(self.customers[who].pk)
        return account is not None and account.membership.status == "open"

    def new_key(self) -> str:
        self.keys += 1
        return f"key:{self.keys}"

    def journal(self) -> int:
        return PointsTransaction.objects.count()

    def check_order(self, used: PointsTransaction) -> None:
        """13: whatever expires before the last lot that was used had nothing free left."""
        taken = PointsEntry.objects.filter(transaction=used, lot__isnull=False)
        last = max(_expiry(lot) for lot in PointsLot.objects.filter(entries__in=taken))
        usable = PointsLot.objects.filter(account=used.account, bucket=Bucket.ACTIVE)
        for lot in usable.filter(available_from__lte=self.clock()):
            if self.clock() < _expiry(lot)[0] and _expiry(lot) < last:
                assert lot.remaining == lot.held

    # What time and sweeps do

    @rule(hours=st.one_of(st.integers(1, 100), st.integers(600, 900)))
    def wait(self, hours: int) -> None:
        for customer, balance in zip(self.customers, self.balances(), strict=True):
            past = past_balance_of(customer.pk, self.clock())
            self.known[customer.pk, self.clock()] = past
            if PointsLot.objects.filter(lapses=True).exists():  # the journal can't know till when
                past, balance = _without_next_expiry(past), _without_next_expiry(balance)
            assert past == balance  # 14
        self.clock.forward(hours=hours)

    @rule(everything=st.booleans())
    def accrue(self, everything: bool) -> None:
        accrue_due(self.clock(), everything=everything)
        before = self.journal()
        assert accrue_due(self.clock(), everything=True) == 0  # 8, 15
        assert self.journal() == before
        for order in self.orders if everything else ():
            self.settle(order)
        assert self.journal() == before

    @rule(sweep=st.sampled_from([release_due, expire_due, time_out_due]))
    def sweep(self, sweep: Callable[[datetime], int]) -> None:
        before = self.balances()
        sweep(self.clock())
        assert self.balances() == before  # 15
        assert sweep(self.clock()) == 0

    # What always holds

    @invariant()
    def every_sum_holds(self) -> None:
        assert verify_ledger().drifts == []

    @invariant()
    def debt_leaves_nothing_to_spend(self) -> None:
        for balance in self.balances():
            assert min(balance.pending, balance.active, balance.available, balance.debt) >= 0
            assert 0 <= balance.held <= balance.active  # 5
            assert balance.debt == 0 or balance.available == 0  # 7


def _expiry(lot: PointsLot) -> tuple[datetime, int]:
    return lot.expires_at or NOON + timedelta(days=100_000), lot.pk


def _without_next_expiry(balance: Balance) -> Balance:
    return replace(balance, next_expiry=None, next_expiry_points=0)


def redeemed() -> int:
    entries = PointsEntry.objects.filter(bucket=Bucket.REDEEMED)
    return sum(entries.values_list("amount", flat=True))


def all_outstanding() -> int:
    return sum(
        pending + active - debt
        for pending, active, debt in PointsAccount.objects.values_list("pending", "active", "debt")
    )
