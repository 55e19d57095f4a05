"""The loyalty programme: who takes part, who uses it, and what becomes of the points."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from metrics.kpis.base import DENOMINATOR, NUMERATOR, Expression, Kpi
from metrics.kpis.local_time import with_local_month
from metrics.kpis.retention import named

EARNED, REDEEMED = "earned", "redeemed"


def define_enrolment(facts: Any, windows: Any) -> Expression:
    """Joined in the period / those, and who bought in it without being a member at its start."""
    import ibis

    orders, members = facts.customer_orders, facts.memberships
    bought = windows.inner_join(
        orders, [orders.ordered_at >= windows.start, orders.ordered_at < windows.until]
    ).select("window", "customer_id")
    joined = windows.inner_join(
        members, [members.joined_at >= windows.start, members.joined_at < windows.until]
    ).select("window", "customer_id")
    already = windows.inner_join(members, [members.joined_at < windows.start]).select(
        "window", "customer_id"
    )
    eligible = ibis.union(bought, joined, distinct=True).anti_join(
        already, ["window", "customer_id"]
    )
    joined = joined.distinct().anti_join(already, ["window", "customer_id"])
    return Expression(named({NUMERATOR: joined, DENOMINATOR: eligible}))


def define_active(facts: Any, windows: Any) -> Expression:
    """Open members who earned or redeemed in the year before / open members."""
    members, points = facts.memberships, _of_members(facts)
    is_open = members.closed_at.isnull() | (members.closed_at >= windows.until)
    members = (
        windows.inner_join(members, [members.joined_at < windows.until, is_open])
        .select("window", "customer_id", "year_until", "until")
        .distinct()
    )
    moved = {
        EARNED: points.filter(points.kind == "earn", points.amount > 0),
        REDEEMED: points.filter(points.kind == "redeem"),
    }
    found = {name: _moved(members, rows) for name, rows in moved.items()}
    either = _moved(
        members,
        points.filter(((points.kind == "earn") & (points.amount > 0)) | (points.kind == "redeem")),
    )
    return Expression(
        named({NUMERATOR: either, DENOMINATOR: members.select("window", "customer_id"), **found})
    )


def define_redemption(facts: Any, windows: Any) -> Expression:
    """Points used so far of those issued in the period / points issued in it."""
    entries = lot_entries(facts)
    inside = windows.inner_join(
        entries, [entries.issued_at >= windows.start, entries.issued_at < windows.until]
    )
    return _shares_of_points(inside, inside.used)


def define_breakage(facts: Any, windows: Any) -> Expression:
    """Points expired / points issued, of the months of issue of which none are left.

    A month of issue is over when what was left of its lots at the window's end comes to nothing.
    """
    entries = with_local_month(lot_entries(facts), "issued_at", facts, name="cohort")
    inside = windows.inner_join(entries, [entries.effective_at < windows.until])
    left = inside.group_by(["window", "cohort"]).aggregate(left=inside.amount.sum())
    over = left.filter(left.left <= 0).select("window", "cohort")
    inside = inside.semi_join(over, ["window", "cohort"])
    return _shares_of_points(inside, inside.expired)


def lot_entries(facts: Any) -> Any:
    """Entries of lots: ``issued``, ``used`` (net of what was given back) and ``expired`` points.

    A lot is issued by the first transaction it has entries of.
    """
    import ibis

    entries = facts.points
    entries = entries.filter(entries.lot_id.notnull())
    first = entries.transaction_id.min().over(group_by="lot_id")
    amount, nothing = entries.amount, ibis.literal(0, type="int64")
    is_used = (entries.kind == "redeem") | ((entries.kind == "restore") & (amount > 0))
    return entries.mutate(
        issued=ibis.ifelse((entries.transaction_id == first) & (amount > 0), amount, nothing),
        used=ibis.ifelse(is_used, -amount, nothing),
        expired=ibis.ifelse(entries.kind == "expire", -amount, nothing),
    )


def _shares_of_points(entries: Any, part: Any) -> Expression:
    """A part of the points issued, by member; the members are those with any."""
    amounts = (
        entries.mutate(part=part)
        .group_by(["window", "customer_id"])
        .aggregate(
            numerator=lambda entry: entry.part.sum().cast("int64"),
            denominator=lambda entry: entry.issued.sum().cast("int64"),
        )
    )
    sets = {
        NUMERATOR: amounts.filter(amounts.numerator > 0),
        DENOMINATOR: amounts.filter(amounts.denominator > 0),
    }
    return Expression(
        named({name: rows.select("window", "customer_id") for name, rows in sets.items()}),
        amounts.mutate(detail=0.0),
    )


def _of_members(facts: Any) -> Any:
    """The members' side of the journal."""
    return facts.points.filter(facts.points.lot_id.notnull())


def _moved(members: Any, entries: Any) -> Any:
    """Those of ``members`` with an entry in the 365 local days before the window's end."""
    entries = entries.select(mover_id="customer_id", effective_at="effective_at")
    return members.semi_join(
        entries,
        [
            members.customer_id == entries.mover_id,
            entries.effective_at >= members.year_until,
            entries.effective_at < members.until,
        ],
    ).select("window", "customer_id")


_POINTS: dict[str, Any] = {
    "unit": "percent",
    "interval": "ratio",
    "group": "loyalty",
    "needs": ("points",),
    "is_of_purchases": False,
}

LOYALTY_ENROLMENT_RATE = Kpi(
    key="loyalty_enrolment_rate",
    title=_("Joined the programme"),
    words=_(
        "Of the known customers who bought or joined in the period and were no members before it, "
        "the share who joined."
    ),
    example=_("500 customers who bought were no members; 60 of them joined: 12 %."),
    unit="percent",
    window="period",
    interval="wilson",
    define=define_enrolment,
    sets={NUMERATOR: pgettext_lazy("customers", "Joined"), DENOMINATOR: _("Could have joined")},
    group="loyalty",
    needs=("memberships",),  # without any there is no programme to join
)

LOYALTY_ACTIVE_RATE = Kpi(
    key="loyalty_active_rate",
    title=_("Active members"),
    words=_("Of the open memberships, the share that earned or used points in the year before."),
    example=_("Of 2,000 members 1,300 earned or used points within a year: 65 %."),
    unit="percent",
    window="365 days",
    interval="wilson",
    define=define_active,
    sets={
        NUMERATOR: _("Earned or used points"),
        DENOMINATOR: _("Members"),
        EARNED: _("Earned points"),
        REDEEMED: _("Used points"),
    },
    group="loyalty",
    per="as_of",
    needs=("memberships",),
    reads=("points",),
    is_of_purchases=False,
)

LOYALTY_REDEMPTION_RATE = Kpi(
    key="loyalty_redemption_rate",
    title=_("Points used"),
    words=_(
        "Of the points issued in the period, the share that was used by now; what was given back "
        "counts as not used. It goes on rising as long as any are left."
    ),
    example=_("10,000 points were issued in May, 3,500 of them are used by now: 35 %."),
    window="period",
    define=define_redemption,
    sets={NUMERATOR: _("Used some"), DENOMINATOR: _("Received some")},
    **_POINTS,
)

LOYALTY_BREAKAGE_RATE = Kpi(
    key="loyalty_breakage_rate",
    title=_("Points that expired"),
    words=_(
        "Of the points issued in months of which none are left, the share that expired unused."
    ),
    example=_("Of 20,000 points of months that are over, 3,000 expired: 15 %."),
    window="lifetime",
    define=define_breakage,
    sets={NUMERATOR: _("Lost some"), DENOMINATOR: _("Received some")},
    per="as_of",
    more_is_better=False,
    **_POINTS,
)

KPIS = (
    LOYALTY_ENROLMENT_RATE,
    LOYALTY_ACTIVE_RATE,
    LOYALTY_REDEMPTION_RATE,
    LOYALTY_BREAKAGE_RATE,
)
