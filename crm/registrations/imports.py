"""Imports in the registries: kinds of files, personal data."""

from __future__ import annotations

from common import registry


def register() -> None:
    """Called once, when the apps are ready."""
    from crm.imports import (  # noqa: F401 - they register themselves
        cancel_requests,
        catalogue,
        costs,
        customers,
        interactions,
        leads,
        orders,
        rates,
        refunds,
    )
    from crm.privacy import imports as privacy

    registry.register_personal_data(
        registry.PersonalData(
            "crm.ImportChange",
            export=privacy.export_changes,
            erase=privacy.erase_changes,
        )
    )
