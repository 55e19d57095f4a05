"""Where a customer stands on the journey: the stage, why, and what should happen next.

The stage is pushed by the app that computes it; the reason puts the customer's own figures into
words, so that nobody has to believe a label.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from common.time import local_date
from crm.models import Customer
from crm.selectors.figures import PurchaseFigures, Rhythm

Stage = Customer.Stage
UPWARD = (Stage.LEAD, Stage.FIRST, Stage.REPEAT, Stage.LOYAL)
AWAY = (Stage.AT_RISK, Stage.LOST, Stage.WON_BACK)
SUGGESTIONS: dict[str, str | Promise] = {
    Stage.LEAD: gettext_lazy("Find out what they need and invite them to a first purchase."),
    Stage.FIRST: gettext_lazy("Ask how the first purchase went; a second one makes a habit."),
    Stage.REPEAT: gettext_lazy("Offer what goes with what they buy."),
    Stage.LOYAL: gettext_lazy("Thank them, and ask whom they would recommend you to."),
    Stage.AT_RISK: gettext_lazy("Get in touch before they leave: ask what is missing."),
    Stage.LOST: gettext_lazy("Ask why they left, and make an offer to come back for."),
    Stage.WON_BACK: gettext_lazy("Make sure that what drove them away is mended."),
}


@dataclass(frozen=True, slots=True)
class Station:
    """One stage on the journey. is_passed: the customer left it behind."""

    stage: str
    label: str | Promise
    is_now: bool
    is_passed: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a customer stands. reason and suggestion: one sentence each."""

    stations: list[Station]
    reason: str
    suggestion: str | Promise


def standing_of(
    customer: Customer, figures: PurchaseFigures, rhythm: Rhythm | None, *, now: datetime
) -> Standing:
    """Return a customer's standing; no query.

    figures, rhythm: of all the person's records, as ``selectors.figures.history_of`` tells them.
    """
    return Standing(
        stations=_stations(customer.stage),
        reason=_reason(customer.stage, figures, rhythm, now),
        suggestion=SUGGESTIONS[customer.stage],
    )


def _stations(stage: str) -> list[Station]:
    """The way up as far as the customer comes, then, if they strayed, the way back."""
    line = UPWARD if stage in UPWARD else (*UPWARD, *AWAY)
    present = [one.value for one in line].index(stage)
    return [
        Station(
            stage=one.value,
            label=one.label,
            is_now=place == present,
            # Who strays has bought, but maybe never came to be loyal or was at risk unseen.
            is_passed=place < present and (stage in UPWARD or one in (Stage.LEAD, Stage.FIRST)),
        )
        for place, one in enumerate(line)
    ]


def _reason(stage: str, figures: PurchaseFigures, rhythm: Rhythm | None, now: datetime) -> str:
    if figures.last_at is None:
        return _("No purchase yet.")
    ago = _ago(max(0, (local_date(now) - local_date(figures.last_at)).days))
    bought = ngettext("%(count)s purchase", "%(count)s purchases", figures.orders) % {
        "count": figures.orders
    }
    if stage == Stage.WON_BACK and figures.back_after_days:
        return _("Came back after %(days)s; the last purchase was %(ago)s.") % {
            "days": _days(figures.back_after_days),
            "ago": ago,
        }
    if rhythm and stage in (Stage.AT_RISK, Stage.LOST):
        return _("The last purchase was %(ago)s, usually every %(days)s.") % {
            "ago": ago,
            "days": _days(max(1, rhythm.usual_whole_days)),
        }
    return _("%(bought)s; the last one was %(ago)s.") % {"bought": bought, "ago": ago}


def _days(count: int) -> str:
    return ngettext("%(count)s day", "%(count)s days", count) % {"count": count}


def _ago(days: int) -> str:
    if days == 0:
        return _("today")
    return ngettext("%(count)s day ago", "%(count)s days ago", days) % {"count": days}
