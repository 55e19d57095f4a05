"""Enquiries: when and about what somebody asked; times and codes that past figures hold."""

from __future__ import annotations

from crm.models import Lead
from crm.privacy.customers import Rows, _rows


def export_leads(customer_ids: list[int]) -> Rows:
    """When the customers enquired, about what, and what brought them."""
    return _rows(
        Lead.objects.filter(customer_id__in=customer_ids)
        .order_by("enquired_at", "pk")
        .values("enquired_at", "product__sku", "source", "recorded_at")
    )
