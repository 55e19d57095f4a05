"""What members earned, used and lost before today, for demo data: month by month, as it was then.

The only writer that doesn't read the clock: each month is recorded at its own end, so that months
can be closed and cohorts of points compared. A shop that really had a programme before brings its
balances along instead (``opening.py``); its purchases are history and earn nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime

from django.db import transaction

from common.time import Period, local_date
from crm.models import Customer, Order
from loyalty.models import Programme, Reward
from loyalty.selectors.due import Purchase, earn_key, keys_recorded
from loyalty.selectors.earning import Terms
from loyalty.selectors.programme import terms_of
from loyalty.services.accrual import draft_awards
from loyalty.services.catch_up import draft_catch_up
from loyalty.services.consumption import available_in, take, usable_lots
from loyalty.services.ledger import LockedAccount, hash_request, lock_accounts, write_drafts
from loyalty.services.members import enrol_customers
from loyalty.services.redemptions import draft_use, record_redemption
from loyalty.services.sweeps import in_batches

BATCH = 60  # members per write transaction: well under 250 ms on SQLite
# (customer, points that can be used, end of the month) → how many of them are used then.
Uses = Callable[[int, int, datetime], int]


def record_past_points(
    *,
    programme: Programme,
    joined: Mapping[int, datetime],
    reward: Reward,
    uses: Uses,
    until: datetime,
    actor: str,
) -> int:
    """Record past months of members, oldest first; return how many transactions were new.

    joined: customer id → when, not before the programme's start.  until: aware UTC, of the past.
    reward: a part-payment; ``uses`` says how many points go into it at a month's end.
    Purchases entered live are left to the sweep. A second time adds nothing.

    :raises ValueError: one of the customers is real; nothing is written.
    """
    if Customer.objects.filter(pk__in=joined, is_invented=False).exists():
        raise ValueError("the past of real members is not for us to write")
    written, terms = 0, terms_of(programme)
    for start, clock in _months(programme.starts_at, until):
        present = sorted(one for one, moment in joined.items() if moment < clock)
        for customer_ids in in_batches(present, BATCH):
            with transaction.atomic():
                month = _Month(programme, terms, start, clock, actor)
                accounts = month.accounts_of({one: joined[one] for one in customer_ids})
                written += month.earn(accounts, joined)
                written += month.use(accounts, reward, uses)
    return written


def _months(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    period = Period.containing(local_date(since), "month")
    while period.start < until:
        yield max(period.start, since), min(period.end, until)
        period = period.shifted(1)


class _Month:
    """One month of some members, in the caller's transaction. clock: its end."""

    def __init__(
        self, programme: Programme, terms: Terms, start: datetime, clock: datetime, actor: str
    ) -> None:
        self.programme, self.terms, self.actor = programme, terms, actor
        # A moment before the end: what happens at the end belongs to the month after.
        self.start, self.clock = start, clock - clock.resolution

    def accounts_of(self, joined: Mapping[int, datetime]) -> dict[int, LockedAccount]:
        """Enrol who joined and return the accounts, locked, by customer id."""
        ids = enrol_customers(
            programme=self.programme, joined=joined, recorded_at=self.clock, actor=self.actor
        )
        locked = lock_accounts(ids.values())
        return {customer_id: locked[pk] for customer_id, pk in ids.items()}

    def earn(self, accounts: Mapping[int, LockedAccount], joined: Mapping[int, datetime]) -> int:
        """Write what time did, and what the month's purchases earned."""
        drafts = draft_catch_up({one.id: one for one in accounts.values()}, self.clock)
        due = [one for one in self._bought(accounts) if one.ordered_at >= joined[one.customer_id]]
        ids = {customer_id: account.id for customer_id, account in accounts.items()}
        drafts += draft_awards(
            self.programme,
            self.terms,
            due,
            ids,
            {one.id: one for one in accounts.values()},
            actor=self.actor,
            clock=self.clock,
        )
        return len(write_drafts(drafts, recorded_at=self.clock))

    def _bought(self, customer_ids: Collection[int]) -> list[Purchase]:
        rows = (
            Order.objects.filter(
                customer__in=customer_ids,
                entry=Order.Entry.HISTORY,
                status=Order.Status.DELIVERED,
                ordered_at__gte=self.programme.starts_at,
                delivered_at__gte=self.start,
                delivered_at__lte=self.clock,
            )
            .order_by("pk")
            .values_list(*Purchase._fields)
        )
        purchases = [Purchase(*row) for row in rows]
        known = keys_recorded([earn_key(one.id) for one in purchases])
        return [one for one in purchases if earn_key(one.id) not in known]

    def use(self, accounts: Mapping[int, LockedAccount], reward: Reward, uses: Uses) -> int:
        """Exchange points of those who use some at the end of the month."""
        keys = {
            customer_id: f"redeem:past:{account.id}:{local_date(self.clock):%Y-%m}"
            for customer_id, account in accounts.items()
        }
        done, written = keys_recorded(keys.values()), 0
        for customer_id, account in accounts.items():
            if keys[customer_id] in done or account.active < reward.points:
                continue
            lots = usable_lots(account.id, self.clock)
            points = min(uses(customer_id, available_in(lots), self.clock), available_in(lots))
            if points < reward.points:
                continue
            draft = draft_use(
                account,
                reward,
                points,
                source_key=keys[customer_id],
                request_hash=hash_request(kind="past", customer=customer_id, points=points),
                happened_at=self.clock,
                actor=self.actor,
                order_id=None,
                customer_id=customer_id,
            )
            take(draft, lots, points)
            [transaction_id] = write_drafts([draft], recorded_at=self.clock)
            record_redemption(draft, transaction_id, reward, clock=self.clock)
            written += 1
        return written
