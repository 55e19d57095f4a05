"""What of crm's tables goes with a row when the import that made it is undone."""

from __future__ import annotations


def register() -> None:
    """Called once, when the apps are ready."""
    from crm.imports.licences import undoable
    from crm.imports.undoing import goes_with, stays_if_used
    from crm.models import (
        CancelDecision,
        CancelRequest,
        ConsentEvent,
        ConsentState,
        ContactPoint,
        Cost,
        Customer,
        CustomerFigures,
        CustomerTag,
        CustomFieldValue,
        DuplicatePair,
        ExchangeRate,
        Order,
        OrderLine,
        OrderLineVersion,
        OrderVersion,
        Refund,
        RefundNote,
        SearchTerm,
        Tag,
    )

    goes_with(
        Customer,
        ContactPoint,
        SearchTerm,
        CustomerTag,
        ConsentEvent,
        ConsentState,
        CustomerFigures,
        CustomFieldValue,
        DuplicatePair,
    )
    goes_with(Order, OrderLine, OrderVersion, OrderLineVersion)
    goes_with(Refund, RefundNote)
    goes_with(CancelRequest, CancelDecision)
    stays_if_used(Tag)
    undoable(ConsentEvent, parent=Customer, column="customer_id")
    undoable(OrderVersion, parent=Order, column="order_id")
    undoable(OrderLineVersion, parent=Order, column="order_id")
    undoable(CancelDecision, parent=CancelRequest, column="request_id")
    undoable(Refund)
    undoable(Cost)
    undoable(ExchangeRate)
