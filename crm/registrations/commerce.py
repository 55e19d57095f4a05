"""Refunds, rates and costs in the registries: events, personal data, what can be undone."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.permissions import WRITERS
from common import registry
from common.display import format_money
from common.undo import register_undo


def register() -> None:
    """Called once, when the apps are ready."""
    from crm.privacy import money as privacy
    from crm.services.orders import cancel_order

    register_undo("order.cancelled", cancel_order)
    registry.quick_actions.append(
        registry.QuickAction(
            _("Quick sale"), "crm:quick_sale", "cash-register", frozenset(WRITERS), 35
        )
    )
    event = registry.register_event
    event("refund.recorded", _("Money given back"), "receipt-refund", _money)
    event("refund.corrected", _("Refund corrected"), "receipt-refund", _money)
    event("rate.recorded", _("Exchange rate recorded"), "arrows-exchange")
    event("rate.corrected", _("Exchange rate corrected"), "arrows-exchange")
    event("cost.recorded", _("Cost recorded"), "coins")
    event("cost.corrected", _("Cost corrected"), "coins")
    data = registry.register_personal_data
    data(
        registry.PersonalData(
            "crm.Refund",
            export=privacy.export_refunds,
            reason="Codes and amounts of an order: past figures.",
        )
    )
    data(
        registry.PersonalData(
            "crm.RefundNote", export=privacy.export_refund_notes, erase=privacy.erase_refund_notes
        )
    )
    data(registry.PersonalData("crm.OrderLineVersion", reason="Codes and amounts of an order."))


def _money(codes: dict[str, Any]) -> str:
    return format_money(Decimal(codes["amount"]), codes["currency"]) if "amount" in codes else ""
