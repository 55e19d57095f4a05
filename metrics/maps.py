"""Maps of all customers: places on two axes, fixed beforehand, so that they can be compared.

A map is kept as :class:`metrics.models.MapCell` rows of a run, with the people at each place.

``rfm``: x = score of how often, y = score of how recently, 1 to 5 (see
:mod:`metrics.engines.kernels_customers`); amount = revenue less refunds.
``tenure_profit``: the customers that ``unprofitable_share`` looks at, however new. x = place of
the local days since the first purchase among :data:`TENURE_DAYS` (from 365 days on: 2 and above);
y = 0 a loss in the last 365 local days, 1 neither profit nor loss, 2 to 4 the lower, middle and
upper third of those who brought something; amount = the profit of these days.
``second_order``: x = place of the whole days (of 24 hours) from the first purchase to the next
among :data:`SECOND_DAYS`, :data:`NOT_AGAIN` without one; y = 1 where the first purchase was at
least 365 days ago, else 0; amount = 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

RFM, TENURE_PROFIT, SECOND_ORDER = "rfm", "tenure_profit", "second_order"
MAPS = (RFM, TENURE_PROFIT, SECOND_ORDER)
SCORES = range(1, 6)

TENURE_DAYS = (90, 365, 730, 1095)  # where the next band of days begins
LOSS, NOTHING, LOWEST_THIRD = 0, 1, 2
LONG_STANDING = 2  # from this band on

SECOND_DAYS = (7, 30, 60, 90, 180, 365)
NOT_AGAIN = len(SECOND_DAYS) + 1
RIPE = 1

# The x and the y there are.
SIDES = {
    RFM: (SCORES, SCORES),
    TENURE_PROFIT: (range(len(TENURE_DAYS) + 1), range(LOWEST_THIRD + 3)),
    SECOND_ORDER: (range(NOT_AGAIN + 1), range(RIPE + 1)),
}


@dataclass(frozen=True, slots=True)
class Segment:
    """A named part of the RFM map.

    words: who they are.  advice: what usually comes next for them.
    recency, frequency: the scores that belong to it, each from … to.
    """

    code: str
    title: Promise | str
    words: Promise | str
    advice: Promise | str
    recency: tuple[int, int]
    frequency: tuple[int, int]

    def has(self, recency: int, frequency: int) -> bool:
        """Whether these two scores belong to it."""
        is_recent = self.recency[0] <= recency <= self.recency[1]
        return is_recent and self.frequency[0] <= frequency <= self.frequency[1]


# The first one that fits counts.
SEGMENTS = (
    Segment(
        "hibernating",
        _("Hibernating"),
        _("Bought seldom, and long ago."),
        _("One cheap reminder; then leave them in peace."),
        (1, 2),
        (1, 2),
    ),
    Segment(
        "at_risk",
        _("At risk"),
        _("Bought often, but not for a long time."),
        _("Ask what went wrong, and win them back."),
        (1, 2),
        (3, 4),
    ),
    Segment(
        "cant_lose",
        _("Can't lose"),
        _("Among those who bought most often, and gone quiet."),
        _("Call them in person."),
        (1, 2),
        (5, 5),
    ),
    Segment(
        "about_to_sleep",
        _("About to sleep"),
        _("Bought seldom, and it is getting long ago."),
        _("Remind them before they are gone."),
        (3, 3),
        (1, 2),
    ),
    Segment(
        "need_attention",
        _("Need attention"),
        _("In the middle in both: they may go either way."),
        _("Give them a reason to come back soon."),
        (3, 3),
        (3, 3),
    ),
    Segment(
        "loyal",
        _("Loyal"),
        _("Buy often, and did so not long ago."),
        _("Thank them, and ask them to recommend you."),
        (3, 4),
        (4, 5),
    ),
    Segment(
        "promising",
        _("Promising"),
        _("Bought once or seldom, fairly recently."),
        _("Show them what fits to their first purchase."),
        (4, 4),
        (1, 1),
    ),
    Segment(
        "new_customers",
        _("New customers"),
        _("Have just begun."),
        _("Welcome them, and check that they are satisfied."),
        (5, 5),
        (1, 1),
    ),
    Segment(
        "potential_loyalists",
        _("Potential regulars"),
        _("Bought recently, and more than once."),
        _("Invite them into the loyalty programme."),
        (4, 5),
        (2, 3),
    ),
    Segment(
        "champions",
        _("Champions"),
        _("Buy most often, and did so just now."),
        _("Early access, small surprises, referrals."),
        (5, 5),
        (4, 5),
    ),
)


def segment_of(recency: int, frequency: int) -> Segment:
    """Return the segment of two scores from 1 to 5."""
    return next(one for one in SEGMENTS if one.has(recency, frequency))


def find_segment(code: str) -> Segment | None:
    """Return a segment by its code."""
    return next((one for one in SEGMENTS if one.code == code), None)


def places_of(segment: Segment) -> Iterator[tuple[int, int]]:
    """Yield the places x, y on the RFM map that belong to a segment."""
    for recency in SCORES:
        for frequency in SCORES:
            if segment_of(recency, frequency) is segment:
                yield frequency, recency
