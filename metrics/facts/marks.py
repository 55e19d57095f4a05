"""Questions whose answers change whenever a fact does: what to read again, and when.

Rows that are changed in place leave an event, so the newest one of a kind tells of it; what a file
brings leaves its batch; undone files take rows away, and are a reason to read everything anew.
"""

from __future__ import annotations

from metrics.facts.columns import LINE_STATES, LINKS, ORDER_STATES

# ruff: noqa: S608 - put together from constants of this file only

UNDONE = "undone imports"  # no table of facts, but a reason to read all of them anew
_IMPORTED = "(SELECT MAX(finished_at) FROM crm_importbatch)"


def _events(*kinds: str) -> str:
    return ", ".join(f"(SELECT MAX(id) FROM common_event WHERE kind = '{kind}')" for kind in kinds)


# What the files hold (rows in force, and their sum of money or points), then what tells of changes.
_MARKS: dict[str, tuple[str, str, str, str]] = {
    ORDER_STATES: (
        "COUNT(*)",
        "SUM(amount)",
        "MAX(revised_at), (SELECT COUNT(*) FROM crm_orderversion)",
        "crm_order",
    ),
    LINE_STATES: (
        "COUNT(*)",
        "SUM(amount)",
        "MAX(id), (SELECT COUNT(*) FROM crm_orderlineversion)",
        "crm_orderline",
    ),
    "refunds": ("COUNT(*)", "SUM(amount)", "MAX(id)", "crm_refund"),
    "products": ("COUNT(*)", "0", f"{_events('product.changed')}, {_IMPORTED}", "crm_product"),
    "customers": (
        "COUNT(*)",
        "SUM(acquisition_cost)",
        f"MAX(id), {_events('customer.changed', 'customer.erased')}, {_IMPORTED}",
        "crm_customer",
    ),
    "tags": (
        "COUNT(*)",
        "0",
        f"MAX(id), {_events('customer.untagged', 'tag.merged')}, {_IMPORTED}",
        "crm_customertag",
    ),
    "segments": (
        "COUNT(*)",
        "0",
        "MAX(id), COUNT(until), MAX(until)",
        "crm_audiencemember",
    ),
    "leads": ("COUNT(*)", "0", f"MAX(id), {_IMPORTED}", "crm_lead"),
    "offers": (
        "COUNT(*) + (SELECT COUNT(*) FROM crm_offeranswer)",
        "0",
        "MAX(id), (SELECT MAX(id) FROM crm_offeranswer)",
        "crm_offer",
    ),
    "cancel_requests": (
        "COUNT(*) + (SELECT COUNT(*) FROM crm_canceldecision)",
        "0",
        f"MAX(id), (SELECT MAX(id) FROM crm_canceldecision), {_IMPORTED}",
        "crm_cancelrequest",
    ),
    "runs": ("COUNT(*)", "0", "MAX(id), COUNT(ended_at), MAX(ended_at)", "crm_run"),
    "run_steps": (
        "COUNT(*)",
        "0",
        "MAX(id), COUNT(decided_at), MAX(recorded_at)",
        "crm_stepresult",
    ),
    "interactions": (
        "COUNT(*)",
        "0",
        f"MAX(id), {_events('conversation.linked', 'interaction.changed')}, {_IMPORTED}",
        "crm_interaction",
    ),
    "invitations": (
        "COUNT(*)",
        "0",
        "MAX(id), (SELECT COUNT(invitation_id) FROM feedback_response)",
        "feedback_invitation",
    ),
    "responses": (
        "COUNT(*)",
        "0",
        "MAX(id), (SELECT COUNT(*) FROM feedback_responsevoid)",
        "feedback_response",
    ),
    "complaints": (
        "COUNT(*)",
        "0",
        "MAX(id), (SELECT MAX(id) FROM feedback_complaintevent)",
        "feedback_complaint",
    ),
    # Both sides of the journal come to 0; the members' side stands in lots and debts.
    "points": (
        "COUNT(*)",
        "SUM(CASE WHEN lot_id IS NULL THEN 0 ELSE amount END)",
        "MAX(id)",
        "loyalty_pointsentry",
    ),
    "memberships": ("COUNT(*)", "0", f"MAX(id), {_events('member.closed')}", "loyalty_membership"),
    "tiers": (
        "COUNT(tier_id)",
        "0",
        "MAX(id), COUNT(until), MAX(until)",
        "loyalty_tierassignment",
    ),
    "costs": ("COUNT(*)", "SUM(amount)", "MAX(id)", "crm_cost"),
    "referrals": ("COUNT(*)", "0", "MAX(id)", "loyalty_referral"),
    LINKS: ("COUNT(*)", "0", "MAX(id), COUNT(until), MAX(until)", "crm_identitylink"),
}


def marks() -> dict[str, str]:
    """One question for each table; the first two answers are the checksum: rows and their sum."""
    questions = {
        table: f"SELECT {rows}, CAST(COALESCE({total}, 0) AS BIGINT), {traces} FROM {source}"
        for table, (rows, total, traces, source) in _MARKS.items()
    }
    questions[UNDONE] = (
        "SELECT COUNT(*), MAX(finished_at) FROM crm_importbatch "
        "WHERE status IN ('undoing', 'undone')"
    )
    return questions
