"""What has to be known before a figure can be told, for those who look at an empty one."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# Of which something must be there, by the table of facts.
BY_FACTS: dict[str, Promise] = {
    "cancel_requests": _("It takes requests to leave: note them down when somebody asks."),
    "costs": _("It takes what marketing and service cost: enter it month by month."),
    "invitations": _("It takes invitations to a survey: send them out."),
    "leads": _("It takes people who enquired: bring them in with the import."),
    "liabilities": _("It is counted at the end of each month in which members had points."),
    "memberships": _(
        "It takes members of the loyalty programme: open one, then customers join as they buy."
    ),
    "points": _("It takes points that were issued in the period."),
    "responses": _("It takes answers: ask customers with a survey."),
    "runs": _("It takes service standards that were followed: begin with one."),
}
_COSTS_KNOWN = _(
    "It takes purchases whose cost is known: bring in the costs of products or of purchases."
)
_KINDS_KNOWN = _(
    "It takes products of which it is said whether they are front-end or core products."
)
# Where that depends on more than a table.
BY_FIGURE: dict[str, Promise] = {
    "acquisition_cost": _(
        "It takes what winning each customer cost: import it with the customers, as "
        "acquisition_cost."
    ),
    "ces": _("It takes answers: ask with a survey whether you made it easy."),
    "clv_historic": _COSTS_KNOWN,
    "csat": _("It takes answers: ask with a survey how satisfied customers are."),
    "frontend_effectiveness": _(
        "It takes front-end products that name the product they offer: say so with the product."
    ),
    "frontend_recipients": _KINDS_KNOWN,
    "funnel_first_to_paid": _KINDS_KNOWN,
    "immediate_upsell_rate": _KINDS_KNOWN,
    "loyalty_breakage_rate": _(
        "It takes months of issue of which no points are left, used or expired."
    ),
    "member_lift": _(
        "It takes members who joined in the period, and customers like them who didn't, 90 days on."
    ),
    "nps": _("It takes answers: ask with a survey whether customers would recommend you."),
    "repeat_purchase_rate_365d": _("It takes customers who first bought a year ago or earlier."),
    "repeat_purchase_rate_90d": _("It takes customers who first bought 90 days ago or earlier."),
    "satisfaction_retention": _(
        "It takes answers on how satisfied customers are that are 90 days old."
    ),
    "unprofitable_share": _COSTS_KNOWN,
}


def needs_words(key: str, facts: Sequence[str]) -> Promise | str:
    """Return what a figure takes; empty where purchases are enough.

    key: the figure's.  facts: the tables it needs rows of.
    """
    if key in BY_FIGURE:
        return BY_FIGURE[key]
    return next((BY_FACTS[name] for name in facts if name in BY_FACTS), "")
