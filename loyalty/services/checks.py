"""Adding the journal up again once a day, and when somebody asks."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import datetime

import structlog

from common.time import local_date
from loyalty.models import LedgerCheck, PointsTransaction
from loyalty.selectors.checks import latest_check
from loyalty.selectors.verification import verify_ledger
from loyalty.services.requests import finish_request, is_requested

log = structlog.get_logger(__name__)
MOST_DRIFTS = 1_000  # kept of one check; the command names all of them


def check_ledger(*, happened_at: datetime) -> LedgerCheck:
    """Add the journal up, in one snapshot that keeps no writer out, and keep what was found."""
    began = time.monotonic()
    found = verify_ledger()
    check = LedgerCheck.objects.create(
        checked_at=happened_at,
        seconds=round(time.monotonic() - began, 3),
        transactions=found.transactions,
        entries=found.entries,
        lots=found.lots,
        accounts=found.accounts,
        drifts=[asdict(drift) for drift in found.drifts[:MOST_DRIFTS]],
    )
    if found.drifts:
        log.error("ledger_drifts", drifts=len(found.drifts), check=check.pk)
    finish_request("ledger", happened_at)
    return check


def check_due(now: datetime) -> int:
    """Check the journal if nobody did today, or somebody asks; return how many checks."""
    latest = latest_check()
    is_today = latest is not None and local_date(latest.checked_at) == local_date(now)
    if is_today and not is_requested("ledger"):
        return 0
    if not PointsTransaction.objects.exists():
        finish_request("ledger", now)
        return 0
    check_ledger(happened_at=now)
    return 1
