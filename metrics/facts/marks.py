"""Questions whose answers change whenever a fact does: what to read again, and when.

:func:`newest_sql` is for the sweep, which asks every few seconds whether anything changed at all;
:func:`marks` for whoever reads the facts: what changed, and how much there should be of it.

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
    "liabilities": ("COUNT(*)", "SUM(liability)", "MAX(id)", "loyalty_liabilitysnapshot"),
    "point_costs": ("COUNT(*)", "SUM(point_cost)", "MAX(id)", "loyalty_termsversion"),
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


# Where the newest row is the one with the greatest of an indexed instant; of the others, which are
# never given another time, it is the one with the greatest id. Audiences are left out: what is
# published after a run would be a reason for the next one.
_NEWEST_BY_TIME = {
    "crm_order": "revised_at",
    "crm_customer": "recorded_at",
    "crm_run": "ended_at",
    "feedback_response": "recorded_at",
    "feedback_responsevoid": "voided_at",
    "feedback_complaint": "recorded_at",
    "feedback_complaintevent": "recorded_at",
}
_NEWEST_BY_ID = {
    "crm_product": "recorded_at",
    "crm_refund": "recorded_at",
    "crm_customertag": "CAST(NULL AS TIMESTAMPTZ)",
    "crm_lead": "recorded_at",
    "crm_offer": "recorded_at",
    "crm_offeranswer": "recorded_at",
    "crm_cancelrequest": "recorded_at",
    "crm_canceldecision": "recorded_at",
    "crm_run": "started_at",
    "crm_interaction": "recorded_at",
    "crm_cost": "recorded_at",
    "feedback_invitation": "invited_at",
    "loyalty_pointstransaction": "recorded_at",
    "loyalty_membership": "recorded_at",
    "loyalty_tierassignment": "recorded_at",
    "loyalty_referral": "recorded_at",
    "loyalty_liabilitysnapshot": "recorded_at",
    "loyalty_termsversion": "recorded_at",
}
_EVENTS_OF_CHANGE = (
    "conversation.linked",
    "customer.changed",
    "customer.erased",
    "customer.untagged",
    "interaction.changed",
    "member.closed",
    "product.changed",
    "standard.step_done",
    "standard.step_reopened",
    "standard.step_skipped",
    "tag.merged",
)


def newest_sql() -> str:
    """One statement for the newest row of everything: ``name, id, instant``; look-ups in indexes.

    A MAX of two columns would read the whole table on SQLite.
    """
    look_ups = [
        (
            f"{table} by {at}",
            f"SELECT id, {at} AS at FROM {table} WHERE {at} IS NOT NULL "
            f"ORDER BY {at} DESC, id DESC LIMIT 1",
        )
        for table, at in _NEWEST_BY_TIME.items()
    ]
    look_ups += [
        (table, f"SELECT id, {at} AS at FROM {table} ORDER BY id DESC LIMIT 1")
        for table, at in _NEWEST_BY_ID.items()
    ]
    look_ups += [
        (
            kind,
            f"SELECT id, recorded_at AS at FROM common_event WHERE kind = '{kind}' "
            "ORDER BY id DESC LIMIT 1",
        )
        for kind in _EVENTS_OF_CHANGE
    ]
    return " UNION ALL ".join(
        f"SELECT '{name}' AS name, id, at FROM ({sql}) AS newest_{place}"
        for place, (name, sql) in enumerate(look_ups)
    )
