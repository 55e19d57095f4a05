"""Who is whom, in the registries: menu, card on the customer's page, sweep, undo, personal data."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.permissions import MANAGERS
from common import registry
from common.sweeping import register_sweeper
from common.undo import register_undo

SEARCH_EVERY = 60.0  # seconds


def register() -> None:
    """Called once, when the apps are ready."""
    from crm.services.duplicates import reopen_pair, search_due
    from crm.services.merges import undo_merge, undo_merges

    register_sweeper("crm.duplicates", search_due, order=90, every=SEARCH_EVERY)
    register_undo("customers.merged", undo_merge)
    register_undo("customers.merged_all", undo_merges)
    register_undo("customers.told_apart", reopen_pair)
    registry.menu_entries.append(
        registry.MenuEntry(
            _("Duplicates"), "crm:duplicate_list", "users-group", frozenset(MANAGERS), 12
        )
    )
    registry.customer_panels.append(
        registry.Panel("identity", "crm/parts/customer_identity.html", _panel, 5)
    )
    register = registry.register_event
    register("customer.merged", _("Merged with another record"), "arrows-join")
    register("customer.unmerged", _("Merge undone"), "arrows-split")
    register("customer.not_same", _("Not the same as another customer"), "users-minus")
    _register_personal_data()


def _panel(customer_id: int, request: HttpRequest) -> dict[str, Any] | None:
    """Merged records and people who look alike; two queries; None without any."""
    from crm.selectors.pairs import merges_of, pairs_of

    merges, pairs = merges_of(customer_id), pairs_of(customer_id)
    if not merges and not pairs:
        return None
    return {
        "merges": merges,
        "alike": [
            {
                "pair": pair,
                "customer": pair.second if pair.first_id == customer_id else pair.first,
                "own": pair.first if pair.first_id == customer_id else pair.second,
            }
            for pair in pairs
        ],
        "may_merge": getattr(request.user, "role", None) in MANAGERS,
    }


def _register_personal_data() -> None:
    from crm.privacy import identity as privacy

    ids = "Ids and times; they keep past figures and the points journal as they were."
    registry.register_personal_data(
        registry.PersonalData("crm.Merge", export=privacy.export_merges, reason=ids)
    )
    registry.register_personal_data(registry.PersonalData("crm.IdentityLink", reason=ids))
    registry.register_personal_data(
        registry.PersonalData(
            "crm.DuplicatePair", export=privacy.export_pairs, erase=privacy.erase_pairs
        )
    )
