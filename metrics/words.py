"""Figures in words for people: number, interval, verdict; in the active language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import ceil
from typing import Any

from django.urls import reverse
from django.utils import formats
from django.utils.http import urlencode
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from common.display import format_money, format_number, format_percent
from metrics.figures import (
    LARGE,
    LEFT_TRUNCATED,
    OBSERVATIONAL,
    ROLLING,
    SIMULATED,
    SMALL_N,
    TOO_FEW,
    Figure,
    currency_of,
    so_far,
)
from metrics.intervals import LIKELY_Z, Z, wilson
from metrics.kpis.base import DENOMINATOR, NUMERATOR, Kpi

HUNDRED = Decimal(100)
# So many purchases, not so many times something.
PURCHASES_EACH = frozenset({"purchase_frequency"})
# Whose counts are of purchases, answers, complaints or points: the people behind are fewer, and a
# number must not lead to a list of another length.
OF_EVENTS = frozenset(
    {
        "average_order_value",
        "ces",
        "complaints",
        "complaints_per_1000_orders",
        "csat",
        "days_between_orders",
        "loyalty_breakage_rate",
        "loyalty_liability",
        "loyalty_redemption_rate",
        "nps",
        "playbook_completion",
        "survey_response_rate",
    }
)


def show_value(kpi: Kpi, value: Decimal | None) -> str:
    """Return a value with its unit; absent ones read “no data”."""
    if value is None:
        return _("no data")
    if kpi.unit == "money":
        return format_money(value, currency_of(kpi) or "")
    if kpi.unit == "percent":
        return format_percent(value / HUNDRED)
    if kpi.unit == "days":
        is_whole = value >= HUNDRED or value == int(value)
        days = format_number(value, 0 if is_whole else 1)
        # Parts of a day take the plural of two: 1.5 days, 21,5 дня.
        plural = round(value) if is_whole else 2
        return ngettext("%(count)s day", "%(count)s days", plural) % {"count": days}
    if kpi.unit == "per_1000":
        return format_number(value, 1)
    if kpi.unit == "ratio":
        times = format_number(value, 2)
        return times if kpi.key in PURCHASES_EACH else f"{times}×"
    if kpi.unit == "score" and kpi.factor == 1:  # a mean of answers
        return format_number(value, 2)
    return format_number(value, 0)


def show_number(kpi: Kpi, number: Decimal | int, part: str) -> str:
    """Return a numerator or denominator (``part``) for people."""
    is_money = kpi.numerator_is_money if part == NUMERATOR else kpi.denominator_is_money
    return format_money(number, currency_of(kpi) or "") if is_money else format_number(number)


def show_period(unit: str, starts_on: date | None, name: str = "") -> str:
    """Return a period's name: May 2026, Q2 2026, 2026, week of 4 May 2026, last 90 days.

    name: as the period is kept; only stretches that trail the present moment need it.
    """
    if unit == "trailing":
        days = int(name.removesuffix("d"))
        return ngettext("Last %(count)s day", "Last %(count)s days", days) % {"count": days}
    if starts_on is None:
        return _("Until now")
    if unit == "week":
        return _("Week of %(day)s") % {"day": formats.date_format(starts_on, "SHORT_DATE_FORMAT")}
    if unit == "month":
        return formats.date_format(starts_on, "YEAR_MONTH_FORMAT")
    if unit == "quarter":
        parts = {"number": (starts_on.month + 2) // 3, "year": starts_on.year}
        return _("Q%(number)s %(year)s") % parts
    return str(starts_on.year)


def amid_sentence(period: str) -> str:
    """Return a period's name as it stands amid a sentence: Russian has it small there."""
    is_small = (get_language() or "").startswith("ru")
    return period[:1].lower() + period[1:] if is_small else period


def show_progress(progress: dict[str, Any]) -> str:
    """Return how far a recompute is: “Reading what changed”, “Figures: 12 of 48”."""
    if progress.get("phase") == "figures" and progress.get("of"):
        counts = {"done": progress["done"], "of": progress["of"]}
        return _("Figures: %(done)s of %(of)s") % counts
    phases = {
        "facts": _("Reading what changed"),
        "slices": _("Finding groups of customers"),
        "cohorts": _("Cohorts and maps"),
    }
    return phases.get(progress.get("phase", ""), "")


@dataclass(frozen=True, slots=True)
class Shown:
    """A figure as a page shows it.

    value: formatted; of an unfinished period the figure so far.  words: “50 of 700. Likely …”.
    verdict: certain, likely, can't tell, too few.  tone: ``danger`` over the limit, for certain.
    notes: what to mind.  ratio, low, high, limit, smallest, largest: where the band lies.
    """

    figure: Figure
    label: str
    period: str
    value: str
    words: str
    verdict: str
    tone: str
    notes: list[str]
    url: str
    ratio: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    limit: Decimal | None = None
    smallest: int = 0
    largest: int = 100

    @property
    def is_told(self) -> bool:
        """Whether its value can be said in a sentence: there is one, of people enough."""
        return self.figure.value is not None and TOO_FEW not in self.figure.flags

    @property
    def is_so_far(self) -> bool:
        """Whether the period is not over, or not ripe."""
        return not self.figure.is_complete and LEFT_TRUNCATED not in self.figure.flags

    @property
    def is_invented(self) -> bool:
        """Whether some of what it is made from is invented; a page says so once."""
        return SIMULATED in self.figure.flags

    @property
    def period_within(self) -> str:
        """The period's name amid a sentence."""
        return amid_sentence(self.period)

    @property
    def numerator_url(self) -> str:
        """The people of the numerator: exactly as many as it is, or those behind its money."""
        if not self.figure.numerator:
            return ""
        return self._people_of(NUMERATOR, self.figure.kpi.numerator_is_money)

    @property
    def denominator_url(self) -> str:
        """The same of the denominator."""
        if not self.figure.denominator:
            return ""
        return self._people_of(DENOMINATOR, self.figure.kpi.denominator_is_money)

    def _people_of(self, name: str, is_money: bool) -> str:
        kpi = self.figure.kpi
        if name not in kpi.sets or (kpi.key in OF_EVENTS and not is_money):
            return ""
        return people_url(self.figure, name)

    @property
    def short_notes(self) -> list[str]:
        """The notes for a row of a table: without what holds for every row."""
        return _notes(self.figure, everywhere=False)

    @property
    def range(self) -> str:
        """The interval for a table; empty without one."""
        if self.ratio is None or self.figure.low is None or self.figure.high is None:
            return ""
        kpi = self.figure.kpi
        return f"{show_value(kpi, self.figure.low)} – {show_value(kpi, self.figure.high)}"

    @property
    def numerator(self) -> str:
        """The numerator for people."""
        return show_number(self.figure.kpi, self.figure.numerator, NUMERATOR)

    @property
    def denominator(self) -> str:
        """The denominator for people."""
        return show_number(self.figure.kpi, self.figure.denominator, DENOMINATOR)


def show(figure: Figure, starts_on: date | None) -> Shown:
    """Return a figure in words."""
    kpi = figure.kpi
    is_few = TOO_FEW in figure.flags
    value = so_far(figure) if can_show_so_far(figure) else None
    text = show_value(kpi, value)
    if is_few and value is not None:
        text = _("too few")
    elif LEFT_TRUNCATED not in figure.flags and not can_show_so_far(figure):
        text = _("not over yet")
    band = value if figure.low is not None and not is_few else None
    return Shown(
        figure=figure,
        label=str(kpi.title),
        period=show_period(figure.unit, starts_on, figure.period),
        value=text,
        words=_one_after_another(_count_words(figure), _interval_words(figure)),
        verdict="" if value is None else limit_verdict(figure),
        tone="danger" if LARGE in figure.flags else "",
        notes=_notes(figure),
        url=figure_url(kpi.key, figure),
        ratio=band,
        low=figure.low,
        high=figure.high,
        limit=kpi.limit,
        smallest=_scale_start(figure),
        largest=_scale_end(figure),
    )


def can_show_so_far(figure: Figure) -> bool:
    """Whether numerator / denominator says something although the period may be unfinished.

    Retention of a period that has just begun is near 100 % by its look-back alone.
    """
    begins_too_late = LEFT_TRUNCATED in figure.flags
    return figure.is_complete or not (figure.kpi.looks_back or begins_too_late)


def limit_verdict(figure: Figure) -> str:
    """Return where a figure stands against its limit, and how sure that is; empty without one."""
    kpi, count = figure.kpi, int(figure.denominator)
    if kpi.limit is None or not count:
        return ""
    if SMALL_N in figure.flags:
        return _("Too few to say.")
    limit = format_percent(kpi.limit / HUNDRED, 0)
    for z, above, below in (
        (
            Z,
            _("Above your limit of %(limit)s: certain."),
            _("Below your limit of %(limit)s: certain."),
        ),
        (
            LIKELY_Z,
            _("Above your limit of %(limit)s: likely."),
            _("Below your limit of %(limit)s: likely."),
        ),
    ):
        bounds = wilson(int(figure.numerator), count, z)
        if bounds and bounds[0] * 100 > kpi.limit:
            return above % {"limit": limit}
        if figure.is_complete and bounds and bounds[1] * 100 < kpi.limit:
            return below % {"limit": limit}
    if not figure.is_complete:  # it may still rise
        return ""
    return _("Above or below your limit of %(limit)s: can't tell.") % {"limit": limit}


def limit_label() -> str:
    """What the line of a limit in a chart is called."""
    return _("Limit")


def figure_url(key: str, figure: Figure) -> str:
    """Return the page of a figure, with its period chosen."""
    query = {} if figure.unit == "all" else {"unit": figure.unit, "period": figure.period}
    if figure.dimension:
        query["segment"] = figure.dimension
    address = reverse("metrics:figure", args=[key])
    return f"{address}?{urlencode(query)}" if query else address


def people_url(figure: Figure, name: str, **more: str) -> str:
    """Return the page of the people behind a part of a figure. more: of the address's query."""
    query = {"period": figure.period, "set": name, **more}
    if figure.dimension:
        query["segment"] = figure.dimension
    return f"{reverse('metrics:people', args=[figure.kpi.key])}?{urlencode(query)}"


def _count_words(figure: Figure) -> str:
    kpi = figure.kpi
    if not figure.denominator or (kpi.has_total_value and not kpi.is_total):
        return ""
    counts = {
        "numerator": show_number(kpi, figure.numerator, NUMERATOR),
        "denominator": show_number(kpi, figure.denominator, DENOMINATOR),
    }
    count = int(figure.denominator)
    if kpi.unit == "score":
        return ngettext("%(denominator)s answer.", "%(denominator)s answers.", count) % counts
    if kpi.key == "average_order_value":
        return ngettext("%(denominator)s purchase.", "%(denominator)s purchases.", count) % counts
    if kpi.key == "loyalty_liability":
        return ngettext("For %(denominator)s point.", "For %(denominator)s points.", count) % counts
    if kpi.interval == "quantile":
        return _("The middle one of %(denominator)s.") % counts
    if kpi.unit in ("money", "ratio", "days"):
        if LEFT_TRUNCATED in figure.flags:  # there is no value that these would explain
            return ""
        return _("%(numerator)s divided by %(denominator)s.") % counts
    return _("%(numerator)s of %(denominator)s.") % counts


def _interval_words(figure: Figure) -> str:
    if figure.low is None or figure.high is None or TOO_FEW in figure.flags:
        return ""
    low, high = (show_value(figure.kpi, bound) for bound in (figure.low, figure.high))
    if figure.kpi.unit == "percent":
        low = format_number(figure.low, 1)
    if figure.kpi.unit == "days":
        return _days_between(figure.low, figure.high)
    return _("Likely between %(low)s and %(high)s.") % {"low": low, "high": high}


def _days_between(low: Decimal, high: Decimal) -> str:
    """The word stands once, in the case that “between” takes."""
    shown, parts = {}, False
    for name, bound in (("low", low), ("high", high)):
        parts = bound < HUNDRED and bound != int(bound)
        shown[name] = format_number(bound, 1 if parts else 0)
    return (
        ngettext(
            "Likely between %(low)s and %(high)s day.",
            "Likely between %(low)s and %(high)s days.",
            2 if parts else round(high),
        )
        % shown
    )


def _one_after_another(*sentences: str) -> str:
    """Return sentences in a row; Chinese sets no space between them."""
    gap = "" if (get_language() or "").startswith("zh") else " "
    return gap.join(sentence for sentence in sentences if sentence)


def _notes(figure: Figure, *, everywhere: bool = True) -> list[str]:
    notes = []
    counts_something = bool(figure.denominator or figure.numerator)
    if LEFT_TRUNCATED in figure.flags and figure.kpi.looks_back_a_year:
        notes.append(_("The data begin too late: the 365 days before are not all in them."))
    elif LEFT_TRUNCATED in figure.flags and figure.kpi.compares_days:
        notes.append(_("The data begin too late: the 90 days before are not all in them."))
    elif LEFT_TRUNCATED in figure.flags:
        notes.append(_("The data begin too late to tell who was active before."))
    elif not figure.is_complete and figure.kpi.matures_days:
        if counts_something:
            notes.append(_may_rise(figure.kpi.matures_days))
    elif not figure.is_complete:
        notes.append(_("So far: the period is not over."))
    if everywhere and ROLLING in figure.flags:
        notes.append(_("Rolling: neighbouring months share two thirds of their days."))
    if TOO_FEW in figure.flags and LEFT_TRUNCATED not in figure.flags:
        notes.append(_("Too few for a rate: look at the people instead."))
    if everywhere and OBSERVATIONAL in figure.flags and counts_something:
        notes.append(_("Goes together with; that the one makes the other is not shown."))
    return notes


def _may_rise(days: int) -> str:
    return ngettext(
        "So far: it may still rise until %(count)s day after the period.",
        "So far: it may still rise until %(count)s days after the period.",
        days,
    ) % {"count": days}


def _scale_start(figure: Figure) -> int:
    """Where the band's scale begins: net scores at -100, what fell below 0 by tens below."""
    if figure.kpi.unit == "score" and figure.kpi.factor == 100:
        return -100
    return min(0, -_tens_above(-(figure.low or Decimal(0))))


def _scale_end(figure: Figure) -> int:
    """Where the band's scale ends: shares at 100 % or tens above, small ones and money nearer."""
    is_share = figure.kpi.unit == "percent" or figure.kpi.factor == 100
    if not is_share or figure.kpi.limit is not None:
        top = max(figure.high or 0, (figure.kpi.limit or 0) * 2)
        return int(top * Decimal("1.25")) + 1
    return max(100, _tens_above(figure.high or Decimal(0)))


def _tens_above(number: Decimal) -> int:
    """The next multiple of ten that is no less."""
    return ceil(number / 10) * 10
