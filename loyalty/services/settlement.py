"""Settling what orders earned after they were refunded, corrected or cancelled.

Every fact is answered once: what the order has is brought to what is left of it
(``selectors/settling.py``), by the rules recorded when it earned. Less is taken from the order's
own lots, pending ones first, then from the member's other usable lots; what is missing becomes
debt. More comes as a new lot with the dates of the purchase. An order given to somebody else takes
its points along.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict
from common.time import now
from crm.models import Customer
from loyalty.models import Membership, PointsLot, PointsTransaction, Programme
from loyalty.selectors.earning import Terms, usable_from
from loyalty.selectors.expiry import inactive_from, usable_until
from loyalty.selectors.histories import Fact
from loyalty.selectors.journal import home_accounts
from loyalty.selectors.member_facts import Buyer, Facts
from loyalty.selectors.programme import get_programme, terms_of
from loyalty.selectors.reckoning import NOBODY, Given
from loyalty.selectors.settling import Growth, LineKey, target_of
from loyalty.services.catch_up import catch_up
from loyalty.services.consumption import usable_lots
from loyalty.services.ledger import (
    ACTIVE,
    PENDING,
    Draft,
    EarnedPoints,
    LockedAccount,
    hash_request,
    lock_accounts,
    write_drafts,
)
from loyalty.services.members import enrol_customers
from loyalty.services.settlement_cases import Case, cases_of, lines_between, own_lots, read_recorded
from loyalty.services.taking_back import take_back

Kind, Reason = PointsTransaction.Kind, PointsTransaction.Reason


class PointsMoved(Conflict):
    """The points went to another account while this waited for the lock."""

    code = "points_moved"
    is_transient = True
    message = _("The points are just being moved to another card. Try again.")


class _Change(NamedTuple):
    """What a fact does to one account: points by line."""

    case: Case
    fact: Fact
    account: LockedAccount
    suffix: str
    lines: list[EarnedPoints]

    @property
    def points(self) -> int:
        return sum(line.points for line in self.lines)


@transaction.atomic
def settle_order(*, order_id: int, happened_at: datetime, actor: str) -> list[PointsTransaction]:
    """Answer what became of one order after it earned; return the new transactions.

    Again, or if nothing happened: an empty list. Locks order, customer and accounts until commit.

    :raises NotFound: there is no programme.
    :raises PointsMoved: a merge moved the points this instant; nothing is written, try again.
    """
    ids = settle_batch(
        programme=get_programme(), order_ids=[order_id], happened_at=happened_at, actor=actor
    )
    return list(PointsTransaction.objects.filter(pk__in=ids).order_by("pk"))


@transaction.atomic
def settle_batch(
    *,
    programme: Programme,
    order_ids: Collection[int],
    happened_at: datetime,
    actor: str,
    terms: Terms | None = None,
) -> list[int]:
    """Answer what became of several orders after they earned; return the transactions' ids.

    happened_at: of cancellations; refunds and corrections say themselves when they happened.
    terms: the programme's, if the caller read them already; read again for newer orders.
    Orders that earned nothing yet, or with nothing to answer, are left out.
    Locks the orders, their customers, then the accounts, each in the order of their ids. The number
    of statements doesn't depend on that of orders, but on how many facts one of them has, and on
    how many accounts lack the points in the orders' own lots.

    :raises PointsMoved: a merge moved some of the points this instant; nothing is written.
    """
    cases = cases_of(order_ids, happened_at)
    if not cases:
        return []
    if terms is None or not terms.hold_for(one.order.ordered_at for one in cases):
        terms = terms_of(programme)
    customer_ids = {one.order.customer_id for one in cases if one.order.customer_id}
    # A merge of any of them waits until this is written, or this until the merge is.
    held = Customer.objects.select_for_update(no_key=True).filter(pk__in=customer_ids)
    states = held.order_by("pk").values_list("pk", "erased_at")
    erased = frozenset(pk for pk, erased_at in states if erased_at is not None)
    homes = _homes(programme, cases, erased)
    holders = {lot.account_id for lots in own_lots(cases).values() for lot in lots}
    accounts = lock_accounts({*holders, *homes.values(), *(one.earn.account_id for one in cases)})
    clock = now()
    catch_up(accounts, clock)
    work = _Work(programme, terms, accounts, homes, erased, actor, clock)
    return work.answer(cases)


class _Work:
    """Answering, with everything locked."""

    def __init__(
        self,
        programme: Programme,
        terms: Terms,
        accounts: Mapping[int, LockedAccount],
        homes: Mapping[int, int],
        erased: Collection[int],
        actor: str,
        clock: datetime,
    ) -> None:
        self.programme, self.terms, self.accounts, self.homes = programme, terms, accounts, homes
        self.erased, self.actor, self.clock = erased, actor, clock
        self.rules = {rule.version_id: rule for rule in terms.rules}
        self.facts: Facts | None = None

    def answer(self, cases: list[Case]) -> list[int]:
        """Write one fact of each order after the other; return the transactions' ids."""
        asks = self.terms.asks_at(case.order.ordered_at for case in cases)
        if asks.of_buyers:
            buyers = [
                self._buyer(case, self._home_of(case) or case.earn.account_id) for case in cases
            ]
            self.facts = Facts(self.programme, buyers, asks)
        written: list[int] = []
        while cases:
            own = own_lots(cases)
            if any(lot.account_id not in self.accounts for lots in own.values() for lot in lots):
                raise PointsMoved
            changes = [change for case in cases for change in self._changes(case, own)]
            written += self._write(changes, own)
            for case in cases:
                del case.facts[0]
            cases = [case for case in cases if case.facts]
            read_recorded(cases)
        return written

    def _changes(self, case: Case, own: Mapping[int, list[PointsLot]]) -> Iterable[_Change]:
        """Yield what an order's next fact does; to two accounts if it went to somebody else."""
        fact, lots, net = case.facts[0], own.get(case.order.pk, []), case.net
        holder = self.accounts[lots[-1].account_id if lots else case.earn.account_id]
        home = self.accounts[self._home_of(case) or holder.id]
        roots = case.roots
        present = {key: (root.base, root.net) for key, root in roots.items() if root.net}
        target = self._target(case, fact, home)
        if fact.gives_back and sum(points for _base, points in target.values()) > net:
            target = present  # giving money back never earns points
        if home is not holder and net > 0:
            yield _Change(case, fact, holder, "", lines_between(case, present, {}))
            suffix, present = ":to", {}
            if not home.is_open:
                target = {}
        else:
            suffix = ""
        lines = lines_between(case, present, target)
        if lines or not (suffix or fact.is_doubtful):
            self._note(case, home, lines)
            yield _Change(case, fact, home, suffix, lines)

    def _target(
        self, case: Case, fact: Fact, account: LockedAccount
    ) -> dict[LineKey, tuple[Decimal | None, int]]:
        left = case.history.left_at(fact.at, self.programme)
        growth = Growth.FREE
        if account.status == Membership.Status.CLOSED or case.order.customer_id in self.erased:
            growth = Growth.NONE
        elif not account.is_open or fact.is_doubtful or case.earn.reason == Reason.NOT_OPEN:
            growth = Growth.BACK
        member = NOBODY
        if self.facts is not None and growth is Growth.FREE:
            member = self.facts.member(self._buyer(case, account.id))
        given = target_of(self.terms, left, case.recorded, growth=growth, member=member)
        return {(row.rule.version_id, row.line): (row.base, row.points) for row in given}

    def _write(self, changes: list[_Change], own: Mapping[int, list[PointsLot]]) -> list[int]:
        """Write what is taken, then what is given: so that nobody owes what they just got."""
        lots = {lot.pk: lot for several in own.values() for lot in several}
        usable: dict[int, list[PointsLot]] = {}

        def others(account_id: int) -> list[PointsLot]:
            if account_id not in usable:
                usable[account_id] = [
                    lots.setdefault(lot.pk, lot) for lot in usable_lots(account_id, self.clock)
                ]
            return usable[account_id]

        drafts = []
        for change in sorted(changes, key=lambda one: one.points >= 0):
            draft = self._draft(change)
            account_id = change.account.id
            if change.points > 0:
                self._give(draft, change)
            elif change.points < 0:
                mine = [lot for lot in own[change.case.order.pk] if lot.account_id == account_id]
                take_back(draft, mine, partial(others, account_id), -change.points)
            drafts.append(draft)
        return write_drafts(drafts, recorded_at=self.clock)

    def _give(self, draft: Draft, change: _Change) -> None:
        order = change.case.order
        conditions = self.terms.conditions_at(order.ordered_at)
        available_from = usable_from(
            order.delivered_at or order.ordered_at, conditions.pending_days
        )
        draft.credit(
            change.points,
            bucket=ACTIVE if available_from <= self.clock else PENDING,
            available_from=available_from,
            expires_at=usable_until(available_from, conditions),
            lapses_at=inactive_from(available_from, conditions),
        )

    def _draft(self, change: _Change) -> Draft:
        case, fact = change.case, change.fact
        is_cancelled = fact.reason == Reason.CANCELLED
        draft = Draft(
            account=change.account,
            kind=(Kind.REVERSAL if is_cancelled else Kind.SETTLE).value,
            reason=fact.reason,
            points=change.points,
            source_key=fact.key + change.suffix,
            request_hash=hash_request(**fact.request),
            order_id=case.order.pk,
            reverses_id=case.earn.pk,
            actor=self.actor,
            effective_at=fact.effective_at,
            lines=change.lines,
        )
        if change.points:
            draft.event = "points.reversed" if change.points < 0 else "points.corrected"
            draft.codes = {"order": case.order.ref}
            if change.account.id == self._home_of(case):
                draft.customer_id = case.order.customer_id
        return draft

    def _note(self, case: Case, account: LockedAccount, lines: list[EarnedPoints]) -> None:
        """Take what changes into account for limits over several purchases."""
        if self.facts is not None:
            rows = [
                Given(self.rules[line.rule_version_id], line.line, line.base, line.points)
                for line in lines
            ]
            self.facts.note(self._buyer(case, account.id), rows)

    def _buyer(self, case: Case, account_id: int) -> Buyer:
        order = case.order
        return Buyer(order.pk, order.customer_id or 0, account_id, order.ordered_at)

    def _home_of(self, case: Case) -> int | None:
        return self.homes.get(case.order.customer_id or 0)


def _homes(programme: Programme, cases: Iterable[Case], erased: Collection[int]) -> dict[int, int]:
    """Return customer id → account id; who takes part only by such an order is enrolled."""
    joined: dict[int, datetime] = {}
    others = set()
    for case in cases:
        order, left = case.order, case.history.left_at(None, programme)
        if order.customer_id is None:
            continue
        if left.counts and order.customer_id not in erased:
            first = joined.get(order.customer_id, order.ordered_at)
            joined[order.customer_id] = min(first, order.ordered_at)
        else:
            others.add(order.customer_id)
    return home_accounts(others) | enrol_customers(
        programme=programme, joined=joined, recorded_at=now()
    )
