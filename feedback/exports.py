"""Complaints and answers to surveys as files; the words in them for who reads words."""

from __future__ import annotations

from typing import Any

from common.exports import Asked, Export, export_of, register_export
from crm.exports.names import colleague, customer_id, customer_name, id_of, shop_code
from crm.exports.roles import LISTS, OWN_WORK, takes_only_own
from crm.roles import reads_texts
from feedback.models import Complaint
from feedback.selectors import list_complaints, list_responses


def register() -> None:
    """Called once, when the apps are ready."""
    register_export("complaints", roles=OWN_WORK, open=open_complaints)
    register_export("survey_responses", roles=LISTS, open=open_responses)


def open_complaints(asked: Asked) -> Export:
    """Complaints as the page filters them; who serves customers takes out their own."""
    state = asked.query.get("state", "")
    state = state if state in Complaint.State.values else ""
    complaints = list_complaints(state=state).select_related("order", "owner")
    if takes_only_own(asked.user):
        complaints = complaints.filter(owner_id=asked.user.pk)
    columns: dict[str, Any] = {
        "external_id": id_of,
        "opened_at": lambda row: row.opened_at,
        "customer_id": lambda row: customer_id(row.customer),
        "product_sku": lambda row: row.product.sku if row.product else "",
        "order_id": lambda row: id_of(row.order) if row.order else "",
        "location": lambda row: shop_code(row.location),
        "category": lambda row: row.category,
        "severity": lambda row: row.severity,
        "five_p": lambda row: row.five_p,
        "status": lambda row: row.state,
        "resolved_at": lambda row: row.resolved_at,
    }
    if reads_texts(asked.user):
        columns |= {
            "text": lambda row: _text(row, "description"),
            "resolution": lambda row: _text(row, "resolution"),
        }
    columns |= {
        "number": lambda row: row.number,
        "closed_at": lambda row: row.closed_at,
        "owner": lambda row: colleague(row.owner),
        "customer_name": lambda row: customer_name(row.customer),
    }
    return export_of(
        complaints, order=("-opened_at", "-id"), columns=columns, filters={"state": state}
    )


def open_responses(asked: Asked) -> Export:
    """Every answer, newest first; those that don't count say so."""
    columns: dict[str, Any] = {
        "external_id": id_of,
        "customer_id": lambda row: customer_id(row.customer),
        "kind": lambda row: row.kind,
        "score": lambda row: row.score,
        "answered_at": lambda row: row.answered_at,
        "survey": lambda row: row.survey.key,
    }
    if reads_texts(asked.user):
        columns["comment"] = lambda row: row.comment.text if hasattr(row, "comment") else ""
    columns |= {
        "counts": lambda row: not hasattr(row, "void"),
        "customer_name": lambda row: customer_name(row.customer),
    }
    return export_of(list_responses(), order=("-answered_at", "-id"), columns=columns)


def _text(row: Complaint, name: str) -> str:
    return str(getattr(row.text, name)) if hasattr(row, "text") else ""
