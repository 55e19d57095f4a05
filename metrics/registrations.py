"""What metrics adds to the registries of the apps below."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from common import registry
from common.sweeping import register_sweeper
from metrics.roles import READERS

SWEEP_SECONDS = 10.0


def register() -> None:
    """Called once, when the apps are ready."""
    from metrics import exports, map_exports
    from metrics.services import recompute_due, sweep_trials
    from metrics.services.trials import erase_trials
    from metrics.views.cards import HOME_KEYS, home_card

    exports.register()
    map_exports.register()
    register_sweeper("metrics.recompute", recompute_due, order=50, every=SWEEP_SECONDS)
    register_sweeper("metrics.trials", sweep_trials, order=60)
    registry.trace_erasers.append(erase_trials)
    entry = registry.MenuEntry
    registry.menu_entries += [
        entry(_("Retention"), "metrics:overview", "chart-line", READERS, 60),
        entry(_("Cohorts"), "metrics:cohorts", "layout-grid", READERS, 61),
    ]
    for place, key in enumerate(HOME_KEYS):
        registry.home_cards.append(
            registry.HomeCard(
                f"figure-{key}", "metrics/parts/card.html", home_card(key), READERS, 10 + place
            )
        )
    registry.register_personal_data(
        registry.PersonalData(
            "metrics.MemberSet",
            reason="Sets of customer ids behind figures; nobody's name or words.",
        )
    )
