"""The sweep that pays for what is no purchase: joining, birthdays, friends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from itertools import chain

from common.services import SYSTEM
from common.time import local_date
from loyalty.models import EarningRule
from loyalty.selectors.due import ids_of
from loyalty.selectors.occasions import (
    birthdays,
    due_sign_ups,
    has_rules,
    joined_since,
    unpaid_birthdays,
    window_of,
)
from loyalty.selectors.programme import find_programme, terms_of
from loyalty.selectors.referrals import due_referrals, undone_referrals
from loyalty.services.bonuses import award_birthdays, award_sign_ups
from loyalty.services.referrals import pay_referrals, take_back_referral
from loyalty.services.sweeps import (
    BATCH,
    BUDGET_SECONDS,
    in_batches,
    move_mark,
    read_mark,
    settle_each,
)

BONUSES = "loyalty.bonuses"
BIRTHDAY_DAYS = 30  # a sweep that comes so late still pays, a later one no more


def award_bonuses_due(
    now: datetime, *, everything: bool = False, budget_seconds: float = BUDGET_SECONDS
) -> int:
    """Pay what is due for joining, birthdays and friends at ``now``; return how many transactions.

    Birthdays are looked at once a local day: today's and those of the last 30 days.
    everything: look at all members, not only at those who joined lately.
    Idempotent, and safe on several workers at once.
    """
    programme = find_programme()
    if programme is None:
        return 0
    deadline = time.monotonic() + budget_seconds
    mark, since = read_mark(BONUSES, now, everything=everything)
    terms = terms_of(programme)

    def pay_sign_ups(ids: list[int]) -> int:
        return len(award_sign_ups(programme=programme, membership_ids=ids, actor=SYSTEM))

    def pay_referred(ids: list[int]) -> int:
        return len(pay_referrals(programme=programme, referral_ids=ids, actor=SYSTEM))

    def take_back(ids: list[int]) -> int:
        [referral_id] = ids
        return len(take_back_referral(referral_id=referral_id, happened_at=now, actor=SYSTEM))

    days: dict[int, date] = {}

    def pay_birthdays(ids: list[int]) -> int:
        due = {customer_id: days[customer_id] for customer_id in ids}
        return len(award_birthdays(programme=programme, birthdays=due, actor=SYSTEM))

    def born() -> Iterator[list[int]]:
        window = window_of(terms, local_date(now), BIRTHDAY_DAYS) if since is None else None
        for some in in_batches(birthdays(*window), BATCH) if window else ():
            days.clear()
            days.update(unpaid_birthdays(some))
            yield sorted(days)

    joined: Iterable[int] = ()
    if has_rules(terms, EarningRule.Kind.SIGN_UP):
        joined = joined_since(due_sign_ups(programme, terms), since)
    work: Iterable[tuple[Callable[[list[int]], int], list[int]]] = chain(
        ((pay_sign_ups, ids) for ids in in_batches(joined, BATCH)),
        ((pay_birthdays, ids) for ids in born() if ids),
        ((pay_referred, ids) for ids in in_batches(ids_of(due_referrals()), BATCH)),
        ((take_back, [one]) for one in undone_referrals()),
    )
    done = 0
    for pay, ids in work:
        done += settle_each(pay, ids)
        if time.monotonic() > deadline:
            return done
    move_mark(BONUSES, mark, now, is_full=since is None)
    return done
