"""Anomalies in words."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext


class AnomalyKind(StrEnum):
    """What was noticed."""

    MANY_EARNINGS = "many_earnings"
    MANY_REDEMPTIONS = "many_redemptions"
    MANY_REDEMPTIONS_BY_ONE = "many_redemptions_by_one"
    MANY_ADJUSTMENTS = "many_adjustments"
    MANY_ADJUSTMENTS_BY_ONE = "many_adjustments_by_one"
    SELF_SERVICE = "self_service"
    ROUND_TRIP = "round_trip"
    SHARED_CONTACT = "shared_contact"


LABELS: Mapping[AnomalyKind, Promise | str] = {
    AnomalyKind.MANY_EARNINGS: _("Many purchases on one day"),
    AnomalyKind.MANY_REDEMPTIONS: _("Many rewards on one day"),
    AnomalyKind.MANY_REDEMPTIONS_BY_ONE: _("Many rewards by one colleague"),
    AnomalyKind.MANY_ADJUSTMENTS: _("Many adjustments of one member"),
    AnomalyKind.MANY_ADJUSTMENTS_BY_ONE: _("Many adjustments by one colleague"),
    AnomalyKind.SELF_SERVICE: _("A colleague's own points"),
    AnomalyKind.ROUND_TRIP: _("Given by hand and used at once"),
    AnomalyKind.SHARED_CONTACT: _("New members with one phone number or address"),
}


def sentence_of(kind: AnomalyKind, count: int) -> str:
    """Return why something stands in the list, with places for count and colleague."""
    match kind:
        case AnomalyKind.MANY_EARNINGS:
            return ngettext(
                "%(count)s purchase earned points on one day.",
                "%(count)s purchases earned points on one day.",
                count,
            )
        case AnomalyKind.MANY_REDEMPTIONS:
            return ngettext("%(count)s reward on one day.", "%(count)s rewards on one day.", count)
        case AnomalyKind.MANY_REDEMPTIONS_BY_ONE:
            return ngettext(
                "%(colleague)s gave out %(count)s reward on one day.",
                "%(colleague)s gave out %(count)s rewards on one day.",
                count,
            )
        case AnomalyKind.MANY_ADJUSTMENTS:
            return ngettext(
                "%(count)s adjustment in 30 days.", "%(count)s adjustments in 30 days.", count
            )
        case AnomalyKind.MANY_ADJUSTMENTS_BY_ONE:
            return ngettext(
                "%(colleague)s asked for %(count)s adjustment in 30 days.",
                "%(colleague)s asked for %(count)s adjustments in 30 days.",
                count,
            )
        case AnomalyKind.SELF_SERVICE:
            return ngettext(
                "%(colleague)s did %(count)s thing on their own customer record.",
                "%(colleague)s did %(count)s things on their own customer record.",
                count,
            )
        case AnomalyKind.ROUND_TRIP:
            return str(_("Points given by hand were used within a day."))
    return ngettext(
        "%(count)s new member within a week shares a phone number or address.",
        "%(count)s new members within a week share a phone number or address.",
        count,
    )
