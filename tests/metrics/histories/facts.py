"""Facts as plain rows: the same columns as the store's, with aware instants.

``customer_id`` is the record; :meth:`History.of_persons` puts the person in its place. What the
definitions see is what the methods of :class:`History` give: cut at as_of and known_at.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Bought:
    customer_id: int | None
    at: datetime
    amount: int = 10_000
    status: str = "delivered"
    currency: str = "USD"
    delivered_at: datetime | None = None
    order_id: int = 0  # 0: the place in the list, from 1
    valid_from: datetime = LONG_AGO
    valid_until: datetime | None = None
    cost: int | None = None
    location_id: int | None = None


@dataclass(frozen=True)
class Line:
    order_id: int
    product_id: int
    occurrence: int = 1
    quantity: float = 1.0
    amount: int = 10_000
    cost: int | None = None
    valid_from: datetime = LONG_AGO
    valid_until: datetime | None = None


@dataclass(frozen=True)
class Refunded:
    order_id: int
    amount: int
    refunded_at: datetime
    product_id: int | None = None
    currency: str = "USD"
    recorded_at: datetime = LONG_AGO
    taken_back_at: datetime | None = None


@dataclass(frozen=True)
class Sold:
    """A product."""

    product_id: int
    kind: str = "other"
    special_offer_id: int | None = None
    category: str = ""
    recorded_at: datetime = LONG_AGO


@dataclass(frozen=True)
class Known:
    """A customer record."""

    customer_id: int
    recorded_at: datetime = LONG_AGO
    acquired_at: datetime | None = None
    acquisition_cost: int | None = None
    location_id: int | None = None
    country: str = ""
    industry: str = ""
    source: str = ""
    kind: str = "person"


@dataclass(frozen=True)
class Tagged:
    customer_id: int
    tag: str


@dataclass(frozen=True)
class Belonged:
    """A member of an audience."""

    customer_id: int
    segment: str
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True)
class Enquired:
    customer_id: int
    enquired_at: datetime
    product_id: int | None = None
    source: str = ""
    recorded_at: datetime = LONG_AGO


@dataclass(frozen=True)
class Offered:
    customer_id: int
    made_at: datetime
    product_id: int | None = None
    offer_id: int = 0
    recorded_at: datetime = LONG_AGO
    answer: str = ""
    answered_at: datetime | None = None
    valid_from: datetime = LONG_AGO
    valid_until: datetime | None = None


@dataclass(frozen=True)
class AskedToLeave:
    customer_id: int
    requested_at: datetime
    request_id: int = 0
    recorded_at: datetime = LONG_AGO
    outcome: str = "open"
    decided_at: datetime | None = None
    valid_from: datetime = LONG_AGO
    valid_until: datetime | None = None


@dataclass(frozen=True)
class Followed:
    """A run of a standard."""

    customer_id: int
    started_at: datetime
    due_at: datetime
    ended_at: datetime | None = None
    status: str = "open"
    run_id: int = 0
    playbook_id: int = 1
    location_id: int | None = None


@dataclass(frozen=True)
class Stepped:
    """A step of a run."""

    run_id: int
    step_id: int
    due_at: datetime
    status: str = "open"
    done_at: datetime | None = None
    recorded_at: datetime | None = None
    is_required: bool = True
    five_p: str = "processes"


@dataclass(frozen=True)
class Talked:
    """An interaction."""

    customer_id: int | None
    occurred_at: datetime
    direction: str = "inbound"
    channel: str = "phone"
    outcome: str = ""
    location_id: int | None = None
    recorded_at: datetime = LONG_AGO


@dataclass(frozen=True)
class Invited:
    customer_id: int
    sent_at: datetime
    responded_at: datetime | None = None
    response_recorded_at: datetime | None = None
    kind: str = "nps"
    survey_id: int = 1
    invitation_id: int = 0


@dataclass(frozen=True)
class Answered:
    customer_id: int | None
    at: datetime
    score: int
    recorded_at: datetime = LONG_AGO
    voided_at: datetime | None = None
    kind: str = "nps"
    scale: int = 10
    survey_id: int = 1
    invitation_id: int | None = None


@dataclass(frozen=True)
class Complained:
    customer_id: int | None
    at: datetime
    recorded_at: datetime = LONG_AGO
    dropped_at: datetime | None = None
    product_id: int | None = None
    order_id: int | None = None
    location_id: int | None = None
    category: str = ""
    severity: str = "normal"


@dataclass(frozen=True)
class Scored:
    """One side of a points transaction."""

    customer_id: int
    amount: int
    effective_at: datetime
    kind: str = "earn"
    reason: str = "purchase"
    bucket: str = "active"
    transaction_id: int = 0
    lot_id: int | None = None
    recorded_at: datetime = LONG_AGO
    issued_at: datetime | None = None


@dataclass(frozen=True)
class Joined:
    customer_id: int
    joined_at: datetime
    recorded_at: datetime = LONG_AGO
    closed_at: datetime | None = None


@dataclass(frozen=True)
class Ranked:
    """A spell in a tier."""

    customer_id: int
    tier: str
    since: datetime
    until: datetime | None = None
    recorded_at: datetime = LONG_AGO


@dataclass(frozen=True)
class Owed:
    """What was owed at a month's end for the points issued in a month; ``month``: its begin."""

    month: datetime
    amount: int
    outstanding: int = 100
    cohort: datetime = LONG_AGO
    currency: str = "USD"
    recorded_at: datetime = LONG_AGO


@dataclass(frozen=True)
class Priced:
    """What a point used costs."""

    since: datetime
    amount: int
    until: datetime | None = None
    currency: str = "USD"
    recorded_at: datetime = LONG_AGO


@dataclass(frozen=True)
class Spent:
    """A cost of a month, which is named by its first instant."""

    month: datetime
    amount: int
    category: str = "marketing"
    location_id: int | None = None
    currency: str = "USD"
    valid_from: datetime = LONG_AGO
    valid_until: datetime | None = None


@dataclass(frozen=True)
class Brought:
    customer_id: int
    friend_id: int
    referred_at: datetime
    recorded_at: datetime = LONG_AGO


@dataclass(frozen=True)
class Linked:
    record_id: int
    person_id: int
    linked_at: datetime = LONG_AGO
    until: datetime | None = None


Row = TypeVar("Row")


@dataclass
class History:
    orders: list[Bought] = field(default_factory=list)
    responses: list[Answered] = field(default_factory=list)
    complaints: list[Complained] = field(default_factory=list)
    links: list[Linked] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    refunds: list[Refunded] = field(default_factory=list)
    products: list[Sold] = field(default_factory=list)
    customers: list[Known] = field(default_factory=list)
    tags: list[Tagged] = field(default_factory=list)
    segments: list[Belonged] = field(default_factory=list)
    leads: list[Enquired] = field(default_factory=list)
    offers: list[Offered] = field(default_factory=list)
    cancel_requests: list[AskedToLeave] = field(default_factory=list)
    runs: list[Followed] = field(default_factory=list)
    run_steps: list[Stepped] = field(default_factory=list)
    interactions: list[Talked] = field(default_factory=list)
    invitations: list[Invited] = field(default_factory=list)
    points: list[Scored] = field(default_factory=list)
    memberships: list[Joined] = field(default_factory=list)
    tiers: list[Ranked] = field(default_factory=list)
    liabilities: list[Owed] = field(default_factory=list)
    point_costs: list[Priced] = field(default_factory=list)
    costs: list[Spent] = field(default_factory=list)
    referrals: list[Brought] = field(default_factory=list)

    def numbered_orders(self) -> list[Bought]:
        """The orders with their ids."""
        return [
            replace(order, order_id=order.order_id or number)
            for number, order in enumerate(self.orders, start=1)
        ]

    def of_persons(self, rows: Iterable[Any], known_at: datetime) -> list[Any]:
        """The rows with the person in the place of each record that was merged then."""
        persons = {
            link.record_id: link.person_id
            for link in self.links
            if link.linked_at <= known_at and (link.until is None or known_at < link.until)
        }
        return [
            replace(row, customer_id=persons.get(row.customer_id, row.customer_id)) for row in rows
        ]

    def counted(self, as_of: datetime, known_at: datetime) -> list[Bought]:
        """Orders that count, whoever made them."""
        return [
            o
            for o in self.of_persons(self.numbered_orders(), known_at)
            if o.status != "cancelled" and o.at < as_of and _is_valid(o, known_at)
        ]

    def counted_lines(self, as_of: datetime, known_at: datetime) -> list[tuple[Line, Bought]]:
        """The lines of orders that count, each with its order."""
        return [
            (line, order)
            for order in self.counted(as_of, known_at)
            for line in self.lines
            if line.order_id == order.order_id and _is_valid(line, known_at)
        ]

    def counted_refunds(self, as_of: datetime, known_at: datetime) -> list[tuple[Refunded, Bought]]:
        """Refunds of orders that count, each with its order."""
        return [
            (refund, order)
            for order in self.counted(as_of, known_at)
            for refund in self.refunds
            if refund.order_id == order.order_id
            and refund.refunded_at < as_of
            and refund.amount != 0
            and refund.recorded_at <= known_at
            and (refund.taken_back_at is None or known_at < refund.taken_back_at)
        ]

    def happened(self, rows: Iterable[Row], at: str, as_of: datetime, known_at: datetime) -> Any:
        """The rows that had happened and were known, with persons in place; ``at``: their time."""
        return self.of_persons(
            [
                row
                for row in rows
                if getattr(row, at) < as_of and getattr(row, "recorded_at") <= known_at  # noqa: B009
            ],
            known_at,
        )

    def states(self, rows: Iterable[Row], at: str, as_of: datetime, known_at: datetime) -> Any:
        """The states in force of facts that had happened, with persons in place."""
        return self.of_persons(
            [row for row in rows if getattr(row, at) < as_of and _is_valid(row, known_at)],
            known_at,
        )


def _is_valid(row: Any, known_at: datetime) -> bool:
    return row.valid_from <= known_at and (row.valid_until is None or known_at < row.valid_until)
