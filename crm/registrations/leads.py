"""Enquiries in the registries: their event and personal data."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from common import registry


def register() -> None:
    """Called once, when the apps are ready."""
    from crm.privacy import leads as privacy

    registry.register_event("lead.recorded", _("Enquiry"), "user-plus", _product)
    registry.register_personal_data(
        registry.PersonalData(
            "crm.Lead",
            export=privacy.export_leads,
            reason="Codes and times, as the source of a customer: past figures.",
        )
    )


def _product(codes: dict[str, Any]) -> str:
    return str(codes.get("sku", ""))
