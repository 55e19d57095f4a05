"""Offers, and customers who asked to leave, as files."""

from __future__ import annotations

from typing import Any

from common.exports import Asked, Export, export_of, register_export
from crm.exports.names import customer_id, customer_name, id_of
from crm.exports.roles import LISTS
from crm.forms.leaving import CancelRequestFilterForm, OfferFilterForm
from crm.roles import reads_texts
from crm.selectors.cancel_requests import list_cancel_requests
from crm.selectors.offers import list_offers


def register() -> None:
    """Called once, when the apps are ready."""
    register_export("offers", roles=LISTS, open=open_offers)
    register_export("cancel_requests", roles=LISTS, open=open_cancel_requests)


def open_offers(asked: Asked) -> Export:
    """Offers as the page filters them; what was offered in words, for who reads words."""
    state = OfferFilterForm(asked.query).values["state"] or ""
    columns: dict[str, Any] = {
        "offer_id": lambda offer: offer.ref,
        "customer_id": lambda offer: customer_id(offer.customer),
        "customer_name": lambda offer: customer_name(offer.customer),
        "made_at": lambda offer: offer.made_at,
        "sku": lambda offer: offer.product.sku if offer.product else "",
        "amount": lambda offer: offer.amount,
        "currency": lambda offer: offer.currency,
        "state": lambda offer: offer.state,
        "answered_at": lambda offer: offer.answered_at,
    }
    if reads_texts(asked.user):
        columns["text"] = lambda offer: offer.text
    return export_of(
        list_offers(state=state).select_related("customer", "product"),
        order=("-made_at", "-id"),
        columns=columns,
        filters={"state": state},
    )


def open_cancel_requests(asked: Asked) -> Export:
    """Requests to leave as the page filters them."""
    values = CancelRequestFilterForm(asked.query).values
    outcome, reason = values["outcome"] or "", values["reason"]
    is_due = outcome == "due"
    columns: dict[str, Any] = {
        "external_id": id_of,
        "customer_id": lambda row: customer_id(row.customer),
        "requested_at": lambda row: row.requested_at,
        "reason": lambda row: row.reason.code if row.reason else "",
        "outcome": lambda row: row.outcome,
        "decided_at": lambda row: row.decided_at,
        "customer_name": lambda row: customer_name(row.customer),
    }
    if reads_texts(asked.user):
        columns["text"] = lambda row: row.text
    return export_of(
        list_cancel_requests(
            outcome="" if is_due else outcome,
            reason_id=reason.pk if reason else None,
            due_at=asked.at if is_due else None,
        ),
        order=("requested_at", "id") if is_due else ("-requested_at", "-id"),
        columns=columns,
        filters={"outcome": outcome, "reason": reason and reason.code},
    )
