"""Moments as people are told of them."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from common.time import local_date


def last_day_before(moment: datetime | None) -> date | None:
    """Return the last local day that is not over before ``moment``; None without one."""
    return local_date(moment - timedelta(microseconds=1)) if moment else None
