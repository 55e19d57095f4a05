"""What the definitions see: the facts as ibis tables, cut to a moment, with persons in place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from metrics.facts.tables import LINE_STATES, LINKS, ORDER_STATES


@dataclass
class Facts:
    """The facts as ibis tables, cut to what had happened at as_of and was known at known_at.

    ``customer_id`` is the person, as known at known_at. Columns: :mod:`metrics.facts.columns`;
    of facts that are kept by states, the state known at known_at.

    has_links: whether any record was ever linked to another; without, nothing is joined.
    """

    tables: dict[str, Any]
    as_of: datetime
    known_at: datetime
    currency: str
    has_links: bool = True

    # --- Purchases -----------------------------------------------------------------------------
    @cached_property
    def orders(self) -> Any:
        """Orders made before as_of and not cancelled.

        A delivery that had not happened at as_of is cut by the windows.
        """
        states = self._states(ORDER_STATES)
        return self._of_persons(
            states.filter(states.status != "cancelled", states.ordered_at < naive(self.as_of))
        )

    @cached_property
    def customer_orders(self) -> Any:
        """The orders of known customers."""
        return self.orders.filter(self.orders.customer_id.notnull())

    @cached_property
    def lines(self) -> Any:
        """The lines of :attr:`orders`, with what the order says of whose, when and where."""
        lines = self._states(LINE_STATES).drop("valid_from", "valid_until")
        return lines.inner_join(self._order_heads, "order_id")

    @cached_property
    def refunds(self) -> Any:
        """Money given back before as_of for :attr:`orders`, with the order's customer and shop."""
        rows = self.tables["refunds"]
        rows = rows.filter(
            self._is_known(rows.recorded_at),
            self._still_holds(rows.taken_back_at),
            rows.refunded_at < naive(self.as_of),
            rows.amount != 0,
        )
        orders = self.orders.select("order_id", "customer_id", "location_id")
        return rows.inner_join(orders, "order_id")

    @cached_property
    def products(self) -> Any:
        """What is sold, as it is today."""
        return self.tables["products"]

    @cached_property
    def costs(self) -> Any:
        """What the months that began before as_of cost, in the organisation's currency.

        A cost of 0 takes back what was recorded: then it isn't known.
        """
        rows = self._states("costs")
        return rows.filter(
            rows.month < naive(self.as_of), rows.currency == self.currency, rows.amount != 0
        ).mutate(recorded_at=rows.valid_from)

    # --- Customers -----------------------------------------------------------------------------
    @cached_property
    def customers(self) -> Any:
        """Customer records known by then; ``record_id`` is the record, ``customer_id`` whose."""
        rows = self.tables["customers"]
        rows = rows.filter(self._is_known(rows.recorded_at)).mutate(record_id=rows.customer_id)
        return self._of_persons(rows)

    @cached_property
    def tags(self) -> Any:
        """Labels of customers, as they are today."""
        return self._of_persons(self.tables["tags"]).distinct()

    @cached_property
    def segments(self) -> Any:
        """Members of audiences, from ``since`` to ``until``."""
        rows = self.tables["segments"]
        return self._of_persons(rows.filter(rows.since <= naive(min(self.as_of, self.known_at))))

    @cached_property
    def leads(self) -> Any:
        """Enquiries."""
        return self._of_persons(self._happened("leads", "enquired_at"))

    @cached_property
    def offers(self) -> Any:
        """Offers made, with the answer so far: null, ``accepted`` or ``declined``."""
        rows = self._states("offers")
        rows = rows.filter(rows.made_at < naive(self.as_of))
        is_answered = (rows.answer != "") & (rows.answered_at < naive(self.as_of))
        return self._of_persons(
            rows.mutate(
                answer=_where(is_answered, rows.answer),
                answered_at=_where(is_answered, rows.answered_at),
                answer_recorded_at=_where(is_answered, rows.valid_from),
            ).drop("valid_from", "valid_until")
        )

    @cached_property
    def cancel_requests(self) -> Any:
        """Requests to leave, with what came of them so far: ``open``, ``stayed`` or ``left``."""
        rows = self._states("cancel_requests")
        rows = rows.filter(rows.requested_at < naive(self.as_of))
        is_decided = (rows.outcome != "open") & (rows.decided_at < naive(self.as_of))
        return self._of_persons(
            rows.mutate(
                outcome=_where(is_decided, rows.outcome, "open"),
                decided_at=_where(is_decided, rows.decided_at),
                decision_recorded_at=_where(is_decided, rows.valid_from),
            ).drop("valid_from", "valid_until")
        )

    @cached_property
    def interactions(self) -> Any:
        """Contacts."""
        return self._of_persons(self._happened("interactions", "occurred_at"))

    # --- Standards -----------------------------------------------------------------------------
    @cached_property
    def runs(self) -> Any:
        """Standards followed, in the state they had by then."""
        rows, moment = self.tables["runs"], naive(min(self.as_of, self.known_at))
        rows = rows.filter(rows.started_at < moment)
        has_ended = rows.ended_at < moment
        return self._of_persons(
            rows.mutate(
                status=_where(has_ended, rows.status, "open"),
                ended_at=_where(has_ended, rows.ended_at),
            )
        )

    @cached_property
    def run_steps(self) -> Any:
        """The steps of :attr:`runs`, in the state they had by then."""
        rows = self.tables["run_steps"]
        rows = rows.semi_join(self.runs, "run_id")
        is_decided = self._is_known(rows.recorded_at) & (rows.done_at < naive(self.as_of))
        return rows.mutate(
            status=_where(is_decided, rows.status, "open"),
            done_at=_where(is_decided, rows.done_at),
        )

    # --- What customers say --------------------------------------------------------------------
    @cached_property
    def invitations(self) -> Any:
        """Who was asked, and when they answered."""
        rows, moment = self.tables["invitations"], naive(min(self.as_of, self.known_at))
        rows = rows.filter(rows.sent_at < moment)
        has_answered = self._is_known(rows.response_recorded_at) & (
            rows.responded_at < naive(self.as_of)
        )
        return self._of_persons(
            rows.mutate(responded_at=_where(has_answered, rows.responded_at)).drop(
                "response_recorded_at"
            )
        )

    @cached_property
    def responses(self) -> Any:
        """Answers that counted."""
        rows = self._happened("responses", "answered_at")
        return self._of_persons(rows.filter(self._still_holds(rows.voided_at)))

    @cached_property
    def complaints(self) -> Any:
        """Complaints that counted."""
        rows = self._happened("complaints", "opened_at")
        return self._of_persons(rows.filter(self._still_holds(rows.dropped_at)))

    # --- The programme -------------------------------------------------------------------------
    @cached_property
    def points(self) -> Any:
        """Both sides of the points journal; the programme's side has no lot."""
        return self._of_persons(self._happened("points", "effective_at"))

    @cached_property
    def memberships(self) -> Any:
        """Who takes part; ``closed_at`` is null while it is open."""
        rows = self._happened("memberships", "joined_at")
        is_closed = rows.closed_at < naive(min(self.as_of, self.known_at))
        return self._of_persons(rows.mutate(closed_at=_where(is_closed, rows.closed_at)))

    @cached_property
    def tiers(self) -> Any:
        """Members' tiers, from ``since`` to ``until``; lower ones are not listed."""
        return self._of_persons(self._happened("tiers", "since"))

    @cached_property
    def referrals(self) -> Any:
        """Who brought whom, both as persons."""
        rows = self._of_persons(self._happened("referrals", "referred_at"))
        friends = rows.rename(referrer_id="customer_id", customer_id="friend_id")
        return self._of_persons(friends).rename(friend_id="customer_id", customer_id="referrer_id")

    @cached_property
    def liabilities(self) -> Any:
        """What was owed for points at the ends of months, in the organisation's currency."""
        rows = self._happened("liabilities", "month")
        return rows.filter(rows.currency == self.currency)

    @cached_property
    def point_costs(self) -> Any:
        """What a point used cost from ``since`` to ``until``, in the organisation's currency."""
        rows = self.tables["point_costs"]
        return rows.filter(self._is_known(rows.recorded_at), rows.currency == self.currency)

    # --- The cuts ------------------------------------------------------------------------------
    @cached_property
    def _order_heads(self) -> Any:
        return self.orders.select(
            "order_id", "customer_id", "ordered_at", "delivered_at", "currency", "location_id"
        )

    def _is_known(self, recorded_at: Any) -> Any:
        return recorded_at <= naive(self.known_at)

    def _still_holds(self, until: Any) -> Any:
        return until.isnull() | (until > naive(self.known_at))

    def _states(self, table: str) -> Any:
        """The state of each fact known at known_at."""
        rows = self.tables[table]
        return rows.filter(self._is_known(rows.valid_from), self._still_holds(rows.valid_until))

    def _happened(self, table: str, at: str) -> Any:
        """Facts that had happened at as_of, as known at known_at."""
        rows = self.tables[table]
        return rows.filter(self._is_known(rows.recorded_at), rows[at] < naive(self.as_of))

    def _of_persons(self, rows: Any) -> Any:
        """Put the person in the place of each record that was merged, as known at known_at."""
        import ibis

        if not self.has_links:
            return rows
        links = self.tables[LINKS]
        links = links.filter(
            self._is_known(links.linked_at), self._still_holds(links.until)
        ).select("record_id", "person_id")
        links = links.rename(link_record_id="record_id", link_person_id="person_id")
        found = rows.left_join(links, rows.customer_id == links.link_record_id)
        return found.mutate(
            customer_id=ibis.coalesce(found.link_person_id, found.customer_id)
        ).drop("link_record_id", "link_person_id")


def naive(moment: datetime) -> datetime:
    """Return an aware instant as the facts have it: in UTC, without a zone."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def _where(condition: Any, value: Any, otherwise: Any = None) -> Any:
    """``value`` where the condition holds; a null condition doesn't."""
    import ibis

    kind = value.type() if otherwise is None else None
    return ibis.ifelse(condition, value, ibis.null(kind) if otherwise is None else otherwise)
