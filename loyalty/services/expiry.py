"""The sweep that books what expired. Nothing depends on when it runs: see ``catch_up``."""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import datetime

import structlog
from django.db import DataError, IntegrityError, transaction

from common.errors import DomainError
from loyalty.selectors.expiry import accounts_with_expired
from loyalty.services.catch_up import catch_up
from loyalty.services.ledger import lock_accounts

log = structlog.get_logger(__name__)
BATCH = 300  # lots per write transaction: well under 250 ms on SQLite
BUDGET_SECONDS = 60.0  # of one wake-up; the next goes on where this one stopped


@transaction.atomic
def catch_up_accounts(*, account_ids: Collection[int], happened_at: datetime) -> int:
    """Book what time did to accounts up to ``happened_at``; return how many transactions.

    Locks the accounts in the order of their ids. Again: writes nothing.
    """
    return catch_up(lock_accounts(account_ids), happened_at)


def expire_due(now: datetime, *, budget_seconds: float = BUDGET_SECONDS) -> int:
    """Book lots that expired and points that lapsed by ``now``; return how many transactions.

    Idempotent, and safe on several workers at once.
    """
    deadline = time.monotonic() + budget_seconds
    done = 0
    while time.monotonic() < deadline:
        account_ids, is_last = accounts_with_expired(now, BATCH)
        written = _booked(account_ids, now)
        done += written
        if is_last or not written:
            break
    return done


def _booked(account_ids: Collection[int], at: datetime) -> int:
    """Book a batch; if an account of it can't be, each alone, so that it stops no other."""
    if not account_ids:
        return 0
    try:
        return catch_up_accounts(account_ids=account_ids, happened_at=at)
    except (DataError, IntegrityError, OverflowError, DomainError) as error:  # the third: SQLite's
        if len(account_ids) == 1:
            log.exception("account_not_caught_up", account=[*account_ids], error=str(error))
            return 0
        return sum(_booked([one], at) for one in account_ids)
