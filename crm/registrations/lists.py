"""Lists in the registries: events, what can be taken back, what stands beside customers."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from accounts.permissions import WRITERS
from common import registry
from common.undo import register_undo


def register() -> None:
    """Called once, when the apps are ready."""
    from crm import exports
    from crm.services.bulk_actions import undo_moving, undo_tagging, undo_untagging
    from crm.services.views import restore_view

    register_undo("customers.tagged", undo_tagging)
    register_undo("customers.untagged", undo_untagging)
    register_undo("customers.moved", undo_moving)
    register_undo("view.deleted", restore_view)

    exports.register()
    registry.register_event("view.saved", _("View saved"), "bookmark")
    registry.register_event("view.changed", _("View changed"), "bookmark")
    registry.register_event("view.deleted", _("View deleted"), "bookmark-off")
    for model, reason in {
        "crm.CustomerFigures": "Sums and times of purchases and contacts: past figures.",
        "crm.ConsentState": "Follows from the consent events, which are exported.",
    }.items():
        registry.register_personal_data(registry.PersonalData(model, reason=reason))
    writers = frozenset(WRITERS)
    registry.quick_actions += [
        registry.QuickAction(_("New customer"), "crm:customer_new", "user-plus", writers, 10, "n"),
        registry.QuickAction(_("Log contact"), "crm:contact_new", "message-plus", writers, 20, "l"),
        registry.QuickAction(_("New task"), "crm:task_new", "checkbox", writers, 30),
        registry.QuickAction(_("New purchase"), "crm:order_new", "shopping-cart-plus", writers, 40),
    ]
    registry.page_keys |= {"crm:customer_list": "c", "crm:inbox": "i", "crm:task_list": "t"}
    registry.page_keys |= {"home": "h", "crm:order_list": "o"}
