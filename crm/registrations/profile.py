"""What is known of one customer, in the registries: the tabs of their page."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from accounts.models import STAFF_ROLES
from common import registry


def register() -> None:
    """Called once, when the apps are ready."""
    everyone = frozenset(STAFF_ROLES)
    registry.customer_tabs += [
        registry.CustomerTab("timeline", _("Timeline"), "crm:customer_timeline", 10, everyone),
        registry.CustomerTab("orders", _("Purchases"), "crm:customer_orders", 20, everyone),
    ]
