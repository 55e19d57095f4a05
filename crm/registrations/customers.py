"""Customers and purchases in the registries: menu, home card, events, personal data."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import STAFF_ROLES
from accounts.permissions import WRITERS
from common import registry


def register() -> None:
    """Called once, when the apps are ready."""
    from accounts.portal import register_customer_lookup
    from crm.logins import find_login

    register_customer_lookup(find_login)
    everyone = frozenset(STAFF_ROLES)
    registry.menu_entries += [
        registry.MenuEntry(_("Home"), "home", "home", everyone, 0),
        registry.MenuEntry(_("Customers"), "crm:customer_list", "users", everyone, 10),
        registry.MenuEntry(
            _("Purchases"),
            "crm:order_list",
            "shopping-cart",
            everyone,
            11,
            beside=("crm:refund_list", "crm:cost_list", "crm:rate_list"),
        ),
        registry.MenuEntry(_("Products"), "crm:product_list", "package", everyone, 80),
        registry.MenuEntry(_("Shops"), "crm:location_list", "building-store", everyone, 81),
    ]
    registry.home_cards.append(
        registry.HomeCard(
            "purchases", "crm/parts/home_card.html", _home_card, frozenset(WRITERS), 60
        )
    )
    _register_events()
    _register_personal_data()


def _home_card(request: HttpRequest) -> dict[str, Any]:
    from crm.selectors.lists import list_orders

    return {"orders": list_orders().order_by("-ordered_at", "-id")[:6]}


def _register_events() -> None:
    from crm.models import ConsentEvent, Order

    def purpose(codes: dict[str, Any]) -> str:
        known = dict(ConsentEvent.Purpose.choices)
        return str(known.get(codes.get("purpose", ""), ""))

    def status(codes: dict[str, Any]) -> str:
        return str(dict(Order.Status.choices).get(codes.get("status", ""), ""))

    register = registry.register_event
    register("customer.recorded", _("Recorded as a customer"), "user-plus")
    register("customer.login_opened", _("Signed in for the first time"), "key")
    register("customer.changed", _("Details changed"), "user-edit")
    register("customer.erased", _("Personal data erased"), "user-off")
    register("consent.given", _("Consent given"), "checkbox", purpose)
    register("consent.withdrawn", _("Consent withdrawn"), "square-x", purpose)
    register("order.recorded", _("Purchase recorded"), "shopping-cart")
    register("order.changed", _("Purchase changed"), "shopping-cart-cog", status)
    register("product.recorded", _("Product recorded"), "package")
    register("product.changed", _("Product changed"), "package")
    register("location.recorded", _("Shop recorded"), "building-store")
    register("location.changed", _("Shop changed"), "building-store")


def _register_personal_data() -> None:
    from crm import logins
    from crm.privacy import customers as privacy

    with_both = {
        # First: erasing a customer cuts the way to the user.
        "accounts.User": (logins.export_logins, logins.erase_logins),
        "crm.Customer": (privacy.export_customers, privacy.erase_customers),
        "crm.ContactPoint": (privacy.export_contacts, privacy.erase_contacts),
        "crm.SearchTerm": (privacy.export_search_terms, privacy.erase_search_terms),
        "crm.CustomerTag": (privacy.export_tags, privacy.erase_tags),
        "crm.AudienceMember": (privacy.export_audiences, privacy.erase_audiences),
        "common.ChangeDetail": (privacy.export_changes, privacy.erase_changes),
    }
    for model, (export, erase) in with_both.items():
        registry.register_personal_data(registry.PersonalData(model, export=export, erase=erase))
    kept = {
        "crm.Order": (privacy.export_orders, "What was bought, when and where: past figures."),
        "crm.ConsentEvent": (privacy.export_consents, "Proof of what was agreed to, in codes."),
        "common.Event": (privacy.export_events, "Codes and times: the audit trail."),
    }
    for model, (export, reason) in kept.items():
        registry.register_personal_data(registry.PersonalData(model, export=export, reason=reason))
    for model in ("OrderLine", "OrderVersion"):
        registry.register_personal_data(
            registry.PersonalData(f"crm.{model}", reason="Codes and amounts of an order.")
        )
