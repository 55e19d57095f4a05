"""What the follow-ups would make of a file of orders."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from common.time import now
from crm.imports.bulk import fetch_rows
from crm.imports.foresight import Consequences, register_watcher
from crm.imports.kinds import Context
from crm.models import ImportBatch, Order
from crm.selectors import consent_in_force, primary_emails
from crm.selectors.identity import persons_of
from outreach.models import Rule


class _WillBeAsked:
    """The emails that the active rule would send about the deliveries of a file, now or later.

    Whoever didn't agree or has no address is left out. Somebody who was asked lately is counted
    all the same, so it is the most that can be sent.
    """

    def __init__(self, context: Context) -> None:
        self._rule = Rule.objects.filter(is_active=True).first()
        self._asked: dict[bool, set[int]] = {True: set(), False: set()}  # by: is a new order
        self._emails = {True: 0, False: 0}
        if self._rule:
            window = self._rule.delay + self._rule.too_late_after
            self._oldest = max(self._rule.active_from, now() - window)
            self._once = timedelta(days=self._rule.cooldown_days) >= window

    def add(self, records: list[Any]) -> None:
        """Count new deliveries, and known live orders that the file says are delivered."""
        recent = [state for state in records if self._is_recent(state)]
        if not recent:
            return
        rows = fetch_rows(
            Order,
            ("external_id", "entry", "status"),
            where="external_id",
            among=[state.key for state in recent],
        )
        known = {row[0]: row[1:] for row in rows}
        placed = (Order.Entry.LIVE.value, Order.Status.PLACED.value)
        followed = [state for state in recent if known.get(state.key) in (None, placed)]
        reached = self._reached({state.customer_id for state in followed})
        for state in followed:
            if (person := reached.get(state.customer_id)) is None:
                continue
            is_new = state.key not in known
            if self._once and person in self._asked[is_new]:
                continue
            self._asked[is_new].add(person)
            self._emails[is_new] += 1

    def _is_recent(self, state: Any) -> bool:
        if self._rule is None or state.status not in (None, Order.Status.DELIVERED):
            return False
        delivered_at = datetime.fromisoformat(state.delivered_at or state.ordered_at)
        return delivered_at.replace(tzinfo=UTC) >= self._oldest

    def _reached(self, customer_ids: set[Any]) -> dict[int, int]:
        """Return customer id → person of those who agreed and have an address."""
        known = {one for one in customer_ids if isinstance(one, int) and one > 0}
        agreed = consent_in_force(known, "surveys") & primary_emails(known).keys()
        return persons_of(agreed) if agreed else {}

    def found(self, mode: str) -> Consequences:
        """Return the emails."""
        is_live = mode == ImportBatch.Mode.LIVE
        return Consequences(emails=self._emails[False] + (self._emails[True] if is_live else 0))


register_watcher("orders", _WillBeAsked)
