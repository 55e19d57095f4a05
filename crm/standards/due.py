"""When a step is due: so long after the start of its run, in the time of the shop.

Decided: what is less than a day counts opening hours ("within two hours" asked on Friday night is
Monday morning); days are days of the calendar at the same local hour, and what would then fall
into closed hours is due when the shop next opens.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from crm.clocks import MINUTES_A_DAY, Hours, due_after

_SECOND = timedelta(seconds=1)


def step_due_at(started_at: datetime, offset_minutes: int, hours: Hours) -> datetime:
    """Return the aware UTC instant by which a step has to be done."""
    if offset_minutes < MINUTES_A_DAY:
        return due_after(started_at, offset_minutes * 60, hours)
    days, minutes = divmod(offset_minutes, MINUTES_A_DAY)
    local = started_at.astimezone(hours.timezone) + timedelta(days=days)  # the hour on the wall
    moment = local.astimezone(UTC) + timedelta(minutes=minutes)
    return max(moment, due_after(moment, 1, hours) - _SECOND)
