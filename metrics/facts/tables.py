"""The SQL that reads the fact tables (see :mod:`.columns`) from the database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from metrics.facts.columns import (
    LINE_STATES,
    LINKS,
    MONTHLY_TABLES,
    ORDER_STATES,
    SMALL_TABLES,
    TABLES,
    arrow_schema,
    to_schema,
)
from metrics.facts.dialect import Dialect

TOPS = {"nps": 10, "csat": 5, "ces": 7, "intention": 10, "stars": 5}  # the best score of each kind

LONG_AGO = datetime(1900, 1, 1, tzinfo=UTC)

# All of the SQL is put together from constants of this package only.
# ruff: noqa: S608


def select_table(table: str, dialect: Dialect, since: datetime | None = None) -> str:
    """Every row of a table; of orders and lines, ``since``: only orders revised at or after it."""
    if table == ORDER_STATES:
        return _order_states(dialect, since)
    if table == LINE_STATES:
        return _line_states(dialect, since)
    return _SMALL[table](dialect)


def _order_states(d: Dialect, since: datetime | None) -> str:
    state = (
        f"{d.id('{0}.customer_id')} AS customer_id, {{0}}.ordered_at AS ordered_at, "
        f"{d.instant('{0}.delivered_at')} AS delivered_at, {{0}}.status AS status, "
        f"{{0}}.amount AS amount, {d.money('{0}.cost')} AS cost, "
        f"{d.id('{0}.location_id')} AS location_id, {{0}}.currency AS currency"
    )
    changed = f" WHERE o.revised_at >= {d.literal(since)}" if since else ""
    return (
        f"SELECT o.id AS order_id, {state.format('o')}, o.revised_at AS valid_from, "
        f"{d.no_instant} AS valid_until FROM crm_order o{changed} UNION ALL "
        f"SELECT v.order_id AS order_id, {state.format('v')}, v.recorded_from AS valid_from, "
        "v.recorded_until AS valid_until FROM crm_orderversion v"
        + (f" JOIN crm_order o ON o.id = v.order_id{changed}" if since else "")
    )


def _line_states(d: Dialect, since: datetime | None) -> str:
    state = (
        "{0}.order_id AS order_id, {0}.product_id AS product_id, {0}.occurrence AS occurrence, "
        f"{d.quantity('{0}.quantity')} AS quantity, {{0}}.amount AS amount, "
        f"{d.money('(' + d.product('{0}.quantity', '{0}.unit_cost') + ')')} AS cost"
    )
    changed = (
        f" JOIN crm_order o ON o.id = {{0}}.order_id WHERE o.revised_at >= {d.literal(since)}"
        if since
        else ""
    )
    return (
        f"SELECT {state.format('l')}, l.recorded_at AS valid_from, {d.no_instant} AS valid_until "
        f"FROM crm_orderline l{changed.format('l')} UNION ALL "
        f"SELECT {state.format('v')}, v.recorded_from AS valid_from, "
        f"v.recorded_until AS valid_until FROM crm_orderlineversion v{changed.format('v')}"
    )


def _refunds(d: Dialect) -> str:
    return (
        f"SELECT r.id AS refund_id, r.order_id, {d.id('l.product_id')} AS product_id, r.amount, "
        "r.currency, r.refunded_at, r.recorded_at, "
        f"{d.instant('n.recorded_at')} AS taken_back_at, "
        f"{d.flag('r.is_simulated')} AS is_simulated "
        "FROM crm_refund r LEFT JOIN crm_orderline l ON l.id = r.line_id "
        "LEFT JOIN crm_refund n ON n.replaces_id = r.id"
    )


def _products(d: Dialect) -> str:
    return (
        f"SELECT id AS product_id, kind, {d.id('special_offer_id')} AS special_offer_id, category, "
        "recorded_at FROM crm_product"
    )


def _customers(d: Dialect) -> str:
    return (
        "SELECT id AS customer_id, kind, recorded_at, "
        f"{d.instant('acquired_at')} AS acquired_at, "
        f"{d.money('acquisition_cost')} AS acquisition_cost, "
        f"{d.id('location_id')} AS location_id, country, industry, source FROM crm_customer"
    )


def _tags(d: Dialect) -> str:
    return "SELECT customer_id, CAST(tag_id AS TEXT) AS tag FROM crm_customertag"


def _segments(d: Dialect) -> str:
    return (
        f"SELECT m.customer_id, a.key AS segment, m.since, {d.instant('m.until')} AS until "
        "FROM crm_audiencemember m JOIN crm_audience a ON a.id = m.audience_id"
    )


def _leads(d: Dialect) -> str:
    return (
        f"SELECT id AS lead_id, customer_id, {d.id('product_id')} AS product_id, source, "
        "enquired_at, recorded_at FROM crm_lead"
    )


def _offers(d: Dialect) -> str:
    until = "LEAD(s.valid_from) OVER (PARTITION BY s.offer_id ORDER BY s.valid_from, s.place)"
    return (
        f"SELECT o.id AS offer_id, o.customer_id, {d.id('o.product_id')} AS product_id, o.made_at, "
        f"o.recorded_at, s.answer, s.answered_at, {d.flag('o.is_simulated')} AS is_simulated, "
        f"s.valid_from, {d.instant(until)} AS valid_until FROM ("
        f"SELECT id AS offer_id, '' AS answer, {d.no_instant} AS answered_at, "
        "recorded_at AS valid_from, 0 AS place FROM crm_offer UNION ALL "
        "SELECT offer_id, CASE WHEN state = 'made' THEN '' ELSE state END, "
        f"CASE WHEN state = 'made' THEN {d.no_instant} ELSE answered_at END, recorded_at, id "
        "FROM crm_offeranswer) s JOIN crm_offer o ON o.id = s.offer_id"
    )


def _cancel_requests(d: Dialect) -> str:
    until = "LEAD(s.valid_from) OVER (PARTITION BY s.request_id ORDER BY s.valid_from, s.place)"
    return (
        "SELECT r.id AS request_id, r.customer_id, r.requested_at, r.recorded_at, s.outcome, "
        f"s.decided_at, {d.flag('r.is_simulated')} AS is_simulated, "
        f"s.valid_from, {d.instant(until)} AS valid_until FROM ("
        f"SELECT id AS request_id, 'open' AS outcome, {d.no_instant} AS decided_at, "
        "recorded_at AS valid_from, 0 AS place FROM crm_cancelrequest UNION ALL "
        "SELECT request_id, outcome, "
        f"CASE WHEN outcome = 'open' THEN {d.no_instant} ELSE decided_at END, recorded_at, id "
        "FROM crm_canceldecision) s JOIN crm_cancelrequest r ON r.id = s.request_id"
    )


def _runs(d: Dialect) -> str:
    return (
        f"SELECT r.id AS run_id, r.customer_id, v.playbook_id, {d.id('r.location_id')} "
        "AS location_id, r.state AS status, r.started_at, r.due_at, "
        f"{d.instant('r.ended_at')} AS ended_at "
        "FROM crm_run r JOIN crm_playbookversion v ON v.id = r.version_id"
    )


def _run_steps(d: Dialect) -> str:
    return (
        f"SELECT r.run_id, r.step_id, s.five_p, {d.flag('s.is_required')} AS is_required, "
        f"r.state AS status, r.due_at, {d.instant('r.decided_at')} AS done_at, "
        f"{d.instant('r.recorded_at')} AS recorded_at "
        "FROM crm_stepresult r JOIN crm_step s ON s.id = r.step_id"
    )


def _interactions(d: Dialect) -> str:
    return (
        f"SELECT id AS interaction_id, {d.id('customer_id')} AS customer_id, "
        f"{d.id('location_id')} AS location_id, channel, direction, outcome, occurred_at, "
        "recorded_at FROM crm_interaction"
    )


def _invitations(d: Dialect) -> str:
    return (
        "SELECT i.id AS invitation_id, i.customer_id, i.survey_id, s.kind, "
        f"i.invited_at AS sent_at, {d.instant('r.answered_at')} AS responded_at, "
        f"{d.instant('r.recorded_at')} AS response_recorded_at "
        "FROM feedback_invitation i JOIN feedback_survey s ON s.id = i.survey_id "
        "LEFT JOIN feedback_response r ON r.invitation_id = i.id"
    )


def _responses(d: Dialect) -> str:
    tops = " ".join(f"WHEN '{kind}' THEN {top}" for kind, top in TOPS.items())
    return (
        f"SELECT r.id AS response_id, {d.id('r.customer_id')} AS customer_id, r.survey_id, "
        f"{d.id('r.invitation_id')} AS invitation_id, r.kind, r.score, "
        f"CASE r.kind {tops} ELSE 0 END AS scale, r.answered_at, r.recorded_at, "
        f"{d.instant('v.voided_at')} AS voided_at, {d.flag('r.is_simulated')} AS is_simulated "
        "FROM feedback_response r LEFT JOIN feedback_responsevoid v ON v.response_id = r.id"
    )


def _complaints(d: Dialect) -> str:
    return (
        f"SELECT c.id AS complaint_id, {d.id('c.customer_id')} AS customer_id, "
        f"{d.id('c.product_id')} AS product_id, {d.id('c.order_id')} AS order_id, "
        f"{d.id('c.location_id')} AS location_id, c.category, c.severity, c.opened_at, "
        f"c.recorded_at, {d.instant('d.dropped_at')} AS dropped_at, "
        f"{d.flag('c.is_simulated')} AS is_simulated FROM feedback_complaint c LEFT JOIN ("
        "SELECT complaint_id, MIN(recorded_at) AS dropped_at FROM feedback_complaintevent "
        "WHERE to_state IN ('merged', 'withdrawn', 'void') GROUP BY complaint_id"
        ") d ON d.complaint_id = c.id"
    )


def _points(d: Dialect) -> str:
    return (
        f"SELECT e.id AS entry_id, e.transaction_id, m.customer_id, {d.id('e.lot_id')} AS lot_id, "
        "t.kind, t.reason, e.bucket, e.amount, t.effective_at, t.recorded_at, "
        f"{d.instant('b.effective_at')} AS issued_at FROM loyalty_pointsentry e "
        "JOIN loyalty_pointstransaction t ON t.id = e.transaction_id "
        "JOIN loyalty_pointsaccount a ON a.id = t.account_id "
        "JOIN loyalty_membership m ON m.id = a.membership_id "
        "LEFT JOIN loyalty_pointslot l ON l.id = e.lot_id "
        "LEFT JOIN loyalty_pointstransaction b ON b.id = l.transaction_id"
    )


def _memberships(d: Dialect) -> str:
    # Closing one card closes every card of the person, but is told of one.
    closed = d.instant(
        "CASE WHEN m.status = 'closed' THEN COALESCE(x.closed_at, m.recorded_at) END"
    )
    return (
        f"SELECT m.customer_id, m.joined_at, m.recorded_at, {closed} AS closed_at "
        "FROM loyalty_membership m JOIN crm_customer p ON p.id = m.customer_id LEFT JOIN ("
        "SELECT COALESCE(c.person_id, c.id) AS person_id, MIN(e.recorded_at) AS closed_at "
        "FROM common_event e JOIN crm_customer c ON c.id = e.customer_id "
        "WHERE e.kind = 'member.closed' GROUP BY COALESCE(c.person_id, c.id)"
        ") x ON x.person_id = COALESCE(p.person_id, p.id)"
    )


def _tiers(d: Dialect) -> str:
    return (
        f"SELECT m.customer_id, t.ref AS tier, s.since, {d.instant('s.until')} AS until, "
        "s.recorded_at FROM loyalty_tierassignment s JOIN loyalty_tier t ON t.id = s.tier_id "
        "JOIN loyalty_pointsaccount a ON a.id = s.account_id "
        "JOIN loyalty_membership m ON m.id = a.membership_id"
    )


def _liabilities(d: Dialect) -> str:
    return (
        "SELECT month, cohort, outstanding, liability AS amount, currency, recorded_at "
        "FROM loyalty_liabilitysnapshot"
    )


def _point_costs(d: Dialect) -> str:
    # Before the first terms those hold; none are ever changed for a time that is over.
    since = f"CASE WHEN t.number = 1 THEN {d.literal(LONG_AGO)} ELSE t.valid_from END"
    until = "LEAD(t.valid_from) OVER (PARTITION BY t.programme_id ORDER BY t.valid_from)"
    return (
        f"SELECT {since} AS since, {d.instant(until)} AS until, t.point_cost AS amount, "
        "p.currency, t.recorded_at "
        "FROM loyalty_termsversion t JOIN loyalty_programme p ON p.id = t.programme_id"
    )


def _costs(d: Dialect) -> str:
    until = (
        "LEAD(recorded_at) OVER "
        "(PARTITION BY month, category, location_id ORDER BY recorded_at, id)"
    )
    return (
        f"SELECT month, category, {d.id('location_id')} AS location_id, amount, currency, "
        f"{d.flag('is_simulated')} AS is_simulated, recorded_at AS valid_from, "
        f"{d.instant(until)} AS valid_until FROM crm_cost"
    )


def _referrals(d: Dialect) -> str:
    return (
        "SELECT m.customer_id, f.customer_id AS friend_id, r.referred_at, r.recorded_at "
        "FROM loyalty_referral r JOIN loyalty_membership m ON m.id = r.referrer_id "
        "JOIN loyalty_membership f ON f.id = r.friend_id"
    )


def _links(d: Dialect) -> str:
    return (
        f"SELECT record_id, person_id, linked_at, {d.instant('until')} AS until "
        "FROM crm_identitylink"
    )


_SMALL: dict[str, Callable[[Dialect], str]] = {
    "refunds": _refunds,
    "products": _products,
    "customers": _customers,
    "tags": _tags,
    "segments": _segments,
    "leads": _leads,
    "offers": _offers,
    "cancel_requests": _cancel_requests,
    "runs": _runs,
    "run_steps": _run_steps,
    "interactions": _interactions,
    "invitations": _invitations,
    "responses": _responses,
    "complaints": _complaints,
    "points": _points,
    "memberships": _memberships,
    "tiers": _tiers,
    "liabilities": _liabilities,
    "point_costs": _point_costs,
    "costs": _costs,
    "referrals": _referrals,
    LINKS: _links,
}

__all__ = [
    "LINE_STATES",
    "LINKS",
    "MONTHLY_TABLES",
    "ORDER_STATES",
    "SMALL_TABLES",
    "TABLES",
    "Dialect",
    "arrow_schema",
    "select_table",
    "to_schema",
]
