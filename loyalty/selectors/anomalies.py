"""What deserves a look: too much at once, colleagues serving themselves, points on a round trip.

An anomaly accuses nobody: it names the rows that led to it. The number of queries is the same
whatever the data; the cost follows what was recorded in the last days.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

from django.db.models import Count, F, Q
from django.db.models.functions import TruncDate
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import STAFF_ROLES, User
from common.display import format_number
from common.models import Event
from common.time import organisation_timezone
from crm.models import ContactPoint, Customer
from loyalty.models import Adjustment, PointsEntry, PointsLot
from loyalty.selectors.anomaly_words import LABELS, AnomalyKind, sentence_of

RECENT = timedelta(days=7)
LATELY = timedelta(days=30)
# So many of a kind are too many: for one member on one local day, and by one colleague.
EARNINGS_A_DAY = 10
REDEMPTIONS_A_DAY = 5
REDEMPTIONS_BY_ONE_A_DAY = 100
# In the last 30 days, whatever became of them.
ADJUSTMENTS_OF_ONE = 3
ADJUSTMENTS_BY_ONE = 20
# Points given by hand and used again: so soon, and so large a part of them (per cent).
ROUND_TRIP = timedelta(hours=24)
ROUND_TRIP_SHARE = 80
# So many new members with one phone number or address within the last 7 days.
NEW_WITH_ONE_CONTACT = 3
MOST_EVIDENCE = 20  # rows told of each
MOST_FLAGGED = 100  # of each kind

EARNED, REDEEMED = "points.earned", "points.redeemed"
OWN_ACTIONS = {
    "adjustment.requested": _("Adjustment asked for"),
    "points.adjusted": _("Points adjusted"),
    "points.redeemed": _("Points used"),
    "points.restored": _("Points given back"),
    "voucher.used": _("Voucher used"),
    "order.recorded": _("Purchase recorded"),
    "tier.granted": _("Tier granted by hand"),
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """A row that led to an anomaly. ref: of the transaction, adjustment or member."""

    label: str
    at: datetime
    points: int | None
    ref: str


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Something that deserves a look. customer: whose page tells more.  user: by whom.

    at: when it happened last.  count: how many rows; ``evidence`` holds the latest of them.
    """

    kind: AnomalyKind
    at: datetime
    count: int
    customer: Customer | None = None
    user: User | None = None
    evidence: tuple[Evidence, ...] = ()

    @property
    def label(self) -> str:
        """What it is called."""
        return str(LABELS[self.kind])

    @property
    def reason(self) -> str:
        """Why it stands here, as a sentence."""
        values = {
            "count": format_number(self.count),
            "colleague": self.user.get_full_name() if self.user else "",
        }
        return sentence_of(self.kind, self.count) % values


def list_anomalies(at: datetime) -> list[Anomaly]:
    """Return what deserves a look at the clock ``at``, newest first; at most ten queries."""
    users = {user.pk: user for user in User.objects.filter(role__in=STAFF_ROLES)}
    found = [
        *_velocity(at, users),
        *_by_hand(at, users),
        *_self_service(at, users),
        *_shared_contacts(at),
    ]
    wanted = {one.customer_id for one in found if one.customer_id}
    customers = Customer.objects.in_bulk(wanted) if wanted else {}
    anomalies = [
        Anomaly(
            kind=one.kind,
            at=max(row.at for row in one.rows),
            count=len(one.rows) if one.total is None else one.total,
            customer=customers.get(one.customer_id or 0),
            user=one.user,
            evidence=tuple(sorted(one.rows, key=_newest)[:MOST_EVIDENCE]),
        )
        for one in found
        if one.rows
    ]
    return sorted(anomalies, key=lambda one: (one.at, one.kind), reverse=True)


class _Found(NamedTuple):
    kind: AnomalyKind
    rows: Sequence[Evidence]
    customer_id: int | None = None
    user: User | None = None
    total: int | None = None


def _velocity(at: datetime, users: Mapping[int, User]) -> Iterator[_Found]:
    """Too many earnings or redemptions of one member, or redemptions by one colleague, a day."""
    events = Event.objects.filter(recorded_at__gt=at - RECENT, recorded_at__lte=at).annotate(
        day=TruncDate("occurred_at", tzinfo=organisation_timezone())
    )
    of_members = (
        events.filter(kind__in=[EARNED, REDEEMED], customer_id__isnull=False)
        .values("kind", "day", "customer_id")
        .annotate(count=Count("pk"))
        .filter(
            Q(kind=EARNED, count__gte=EARNINGS_A_DAY)
            | Q(kind=REDEEMED, count__gte=REDEMPTIONS_A_DAY)
        )
        .order_by("-day", "customer_id")[:MOST_FLAGGED]
    )
    by_colleagues = (
        events.filter(kind=REDEEMED, actor__startswith="user:")
        .values("day", "actor")
        .annotate(count=Count("pk"))
        .filter(count__gte=REDEMPTIONS_BY_ONE_A_DAY)
        .order_by("-day", "actor")[:MOST_FLAGGED]
    )
    flagged = list(of_members)
    colleagues = list(by_colleagues)
    if not flagged and not colleagues:
        return
    rows: dict[tuple[str, object, date], list[Evidence]] = defaultdict(list)
    concerned = Q(customer_id__in={one["customer_id"] for one in flagged}) | Q(
        actor__in={one["actor"] for one in colleagues}, kind=REDEEMED
    )
    details = events.filter(concerned, kind__in=[EARNED, REDEEMED]).order_by("-pk")
    for event in details[: MOST_FLAGGED * REDEMPTIONS_BY_ONE_A_DAY]:
        evidence = _told(event)
        rows[event.kind, event.customer_id, event.day].append(evidence)
        rows[event.kind, event.actor, event.day].append(evidence)
    for one in flagged:
        kind = AnomalyKind.MANY_EARNINGS
        if one["kind"] == REDEEMED:
            kind = AnomalyKind.MANY_REDEMPTIONS
        own = rows[one["kind"], one["customer_id"], one["day"]]
        yield _Found(kind, own, one["customer_id"], total=one["count"])
    for several in colleagues:
        own = rows[REDEEMED, several["actor"], several["day"]]
        user = users.get(_user_id(several["actor"]))
        total = several["count"]
        yield _Found(AnomalyKind.MANY_REDEMPTIONS_BY_ONE, own, user=user, total=total)


def _by_hand(at: datetime, users: Mapping[int, User]) -> Iterator[_Found]:
    """Many adjustments of one member or by one author, and those that were used at once."""
    adjustments = list(
        Adjustment.objects.filter(requested_at__gt=at - LATELY, requested_at__lte=at)
        .annotate(customer_id=F("account__membership__customer_id"))
        .order_by("-requested_at", "-pk")
    )
    of_member: dict[int, list[Adjustment]] = defaultdict(list)
    by_author: dict[int, list[Adjustment]] = defaultdict(list)
    for one in adjustments:
        of_member[one.customer_id].append(one)
        by_author[one.author_id].append(one)
    for customer_id, several in of_member.items():
        if len(several) >= ADJUSTMENTS_OF_ONE:
            rows = [_of_adjustment(one) for one in several]
            yield _Found(AnomalyKind.MANY_ADJUSTMENTS, rows, customer_id)
    for author_id, several in by_author.items():
        if len(several) >= ADJUSTMENTS_BY_ONE:
            rows = [_of_adjustment(one) for one in several]
            user = users.get(author_id)
            yield _Found(AnomalyKind.MANY_ADJUSTMENTS_BY_ONE, rows, user=user)
    yield from _round_trips(
        [one for one in adjustments if one.points > 0 and one.status == Adjustment.Status.APPROVED],
        users,
    )


def _round_trips(given: Sequence[Adjustment], users: Mapping[int, User]) -> Iterator[_Found]:
    """Rewards paid with the very points that were given shortly before."""
    if not given:
        return
    ids = [one.transaction_id for one in given]
    standing = PointsLot.objects.filter(transaction__in=ids).values("account")
    entries = PointsEntry.objects.filter(
        lot__transaction__in=ids,
        transaction__account__in=standing,
        transaction__redemption__isnull=False,
    ).order_by("pk")
    used: dict[int, list[Evidence]] = defaultdict(list)
    for adjusted, at, ref, amount in entries.values_list(
        "lot__transaction",
        "transaction__redemption__redeemed_at",
        "transaction__redemption__ref",
        "amount",
    ):
        used[adjusted].append(Evidence(str(_("Points used")), at, amount, ref))
    for one in given:
        until = (one.decided_at or one.requested_at) + ROUND_TRIP
        soon = [row for row in used[one.transaction_id or 0] if row.at <= until]
        points = -sum(row.points or 0 for row in soon)
        if points * 100 >= one.points * ROUND_TRIP_SHARE:
            customer_id: int = one.customer_id  # type: ignore[attr-defined]
            rows = [_of_adjustment(one), *soon]
            yield _Found(AnomalyKind.ROUND_TRIP, rows, customer_id, users.get(one.author_id))


def _self_service(at: datetime, users: Mapping[int, User]) -> Iterator[_Found]:
    """What colleagues did to their own customer record: the same login, or the same address."""
    emails = {user.email.casefold(): user for user in users.values()}
    own: dict[int, User] = {}
    by_address = Q(contact_points__kind="email", contact_points__normalized__in=list(emails))
    records = Customer.objects.filter(Q(user__in=list(users)) | by_address).distinct()
    for pk, user_id, address in records.values_list("pk", "user_id", "contact_points__normalized"):
        user = users.get(user_id or 0) or emails.get(address or "")
        if user is not None:
            own[pk] = user
    if not own:
        return
    by_self = Event.objects.filter(
        customer_id__in=own,
        kind__in=list(OWN_ACTIONS),
        occurred_at__gt=at - LATELY,
        occurred_at__lte=at,
    ).order_by("-occurred_at", "-pk")
    rows: dict[int, list[Evidence]] = defaultdict(list)
    for event in by_self:
        customer_id = event.customer_id or 0
        if event.actor == f"user:{own[customer_id].pk}":
            rows[customer_id].append(_told(event))
    for customer_id, found in rows.items():
        yield _Found(AnomalyKind.SELF_SERVICE, found, customer_id, own[customer_id])


def _shared_contacts(at: datetime) -> Iterator[_Found]:
    """Phone numbers and addresses that several people gave who joined lately."""
    new = ContactPoint.objects.filter(
        customer__membership__joined_at__gt=at - RECENT,
        customer__membership__joined_at__lte=at,
        customer__person__isnull=True,
    )
    shared = (
        new.values("normalized")
        .annotate(people=Count("customer", distinct=True))
        .filter(people__gte=NEW_WITH_ONE_CONTACT)
        .order_by("-people", "normalized")
        .values("normalized")[:MOST_FLAGGED]
    )
    rows: dict[str, dict[int, Evidence]] = defaultdict(dict)
    for normalized, customer_id, joined_at, ref in (
        new.filter(normalized__in=shared)
        .order_by("-customer__membership__joined_at", "customer_id")
        .values_list(
            "normalized", "customer_id", "customer__membership__joined_at", "customer__ref"
        )
    ):
        rows[normalized][customer_id] = Evidence(str(_("Joined")), joined_at, None, ref)
    for people in rows.values():
        yield _Found(AnomalyKind.SHARED_CONTACT, list(people.values()), next(iter(people)))


def _told(event: Event) -> Evidence:
    labels: Mapping[str, Promise | str] = {EARNED: _("Points earned"), **OWN_ACTIONS}
    points = event.codes.get("points")
    return Evidence(str(labels[event.kind]), event.occurred_at, points, event.subject_ref)


def _of_adjustment(one: Adjustment) -> Evidence:
    return Evidence(one.get_reason_display(), one.requested_at, one.points, one.ref)


def _newest(row: Evidence) -> tuple[float, str]:
    return -row.at.timestamp(), row.ref


def _user_id(actor: str) -> int:
    number = actor.removeprefix("user:")
    return int(number) if number.isascii() and number.isdigit() else 0
