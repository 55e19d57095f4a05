"""Figures side by side for many values: shops, sources, products as the rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from common.display import format_number
from metrics.figures import SMALL_N, TOO_FEW, so_far
from metrics.intervals import newcombe
from metrics.kpis.base import Kpi
from metrics.models import Snapshot
from metrics.selectors.by_value import ByValue, figures_by_value, list_products
from metrics.selectors.figures import figure_from
from metrics.slices import DIMENSIONS, OF_PRODUCT
from metrics.views.asking import Asked, slice_label
from metrics.views.told import Told
from metrics.words import Shown, can_show_so_far, show


@dataclass(frozen=True, slots=True)
class Row:
    """One value. cells: its figures, None where there is none.  absent: what stands there then.

    number: its place, from 1; hint: its code; url: the same page of it alone, where there is one;
    excess: by how many points the first figure is over its limit; words: how it stands to the best.
    """

    number: int
    label: str
    hint: str
    url: str
    cells: list[Shown | None]
    absent: list[str]
    excess: Decimal | None
    words: str

    @property
    def told(self) -> list[tuple[Shown | None, str]]:
        """Its cells, each with what stands there where there is no figure."""
        return list(zip(self.cells, self.absent, strict=True))


@dataclass(frozen=True, slots=True)
class Compared:
    """A table of values. title: of its first column; columns: figures with their periods."""

    title: Promise | str
    columns: list[tuple[Kpi, str]]
    rows: list[Row]

    @property
    def kpis(self) -> list[Kpi]:
        """The figures of the columns."""
        return [kpi for kpi, _period in self.columns]

    @property
    def has_words(self) -> bool:
        """Whether any row is told from the first."""
        return any(row.words for row in self.rows)


class Comparing:
    """The figures of a page, by shop and by product; one query, two more for products."""

    def __init__(self, context: dict[str, Any], keys: Sequence[str]) -> None:
        """context: as ``group_context`` returns it.  keys: the columns, the one that ranks first.

        They are of the periods that the page shows. Nothing is compared within a segment.
        """
        self._asked: Asked = context["asked"]
        by_key = told_by_key(context)
        self._told = [by_key[key] for key in keys if key in by_key]
        self._slices = context["bar"]["slices"] if "bar" in context else []
        self._found: ByValue = {}
        if self._told and not self._asked.segment:
            periods = {one.kpi.key: one.snapshot.period for one in self._told}
            self._found = figures_by_value(
                self._told[0].snapshot.run, periods, dimensions=("location", OF_PRODUCT)
            )

    def shops(self) -> Compared | None:
        """Return the shops; None without any."""
        told = [one for one in self._told if one.kpi.is_sliced]
        lines = [
            (slice_label(one), "", f"?{self._asked.query(segment=one.dimension)}", figures)
            for one in self._slices
            if (figures := self._found.get(one.dimension)) and one.dimension.startswith("location=")
        ]
        return _table(DIMENSIONS["location"], told, lines)

    def products(self, *, front_end: bool = False) -> Compared | None:
        """Return the products that have figures of their own; None without any; one query.

        front_end: only products that new customers get first.
        """
        told = [one for one in self._told if one.kpi.is_of_products]
        by_sku = {
            name.removeprefix(f"{OF_PRODUCT}="): figures
            for name, figures in self._found.items()
            if name.startswith(f"{OF_PRODUCT}=")
        }
        if not by_sku:
            return None
        lines = [
            (str(product), product.sku, "", by_sku[product.sku])
            for product in list_products(by_sku, front_end=front_end)
        ]
        return _table(_("Product"), told, lines)


def told_by_key(context: dict[str, Any]) -> dict[str, Told]:
    """Return the figures of a page by their keys. context: as ``group_context`` returns it."""
    lead, others = context.get("lead"), context.get("others", [])
    return {one.kpi.key: one for one in ([lead] if lead else []) + others}


def value_of(shown: Shown | None) -> Decimal | None:
    """Return a figure's value, or what it is so far; None where it says nothing."""
    if shown is None or TOO_FEW in shown.figure.flags or not can_show_so_far(shown.figure):
        return None
    return so_far(shown.figure)


def _table(
    title: Promise | str,
    told: Sequence[Told],
    lines: Sequence[tuple[str, str, str, dict[str, Snapshot]]],
) -> Compared | None:
    """Rank lines by their first figure, the largest first; those that say nothing stand last.

    Where less is better, that is the worst: there something is to be done.
    """
    if not lines or not told:
        return None
    rows = [
        (label, hint, url, [_shown(figures.get(one.kpi.key)) for one in told])
        for label, hint, url, figures in lines
    ]
    # Figures that say nothing of anybody have no column, save the one that ranks.
    kept = [
        place
        for place, _told in enumerate(told)
        if not place or any(value_of(cells[place]) is not None for *_rest, cells in rows)
    ]
    told = [told[place] for place in kept]
    rows = [
        (label, hint, url, [cells[place] for place in kept]) for label, hint, url, cells in rows
    ]
    rows.sort(key=lambda row: (*_rank(row[3][0]), row[0]))
    # Counts of nothing are not kept, so where others have some it is none.
    absent = [format_number(0) if one.kpi.unit == "count" else "–" for one in told]
    return Compared(
        title=title,
        columns=[(one.kpi, one.shown.period) for one in told],
        rows=[
            Row(
                number=number,
                label=label,
                hint=hint,
                url=url,
                cells=cells,
                absent=absent,
                excess=_excess(cells[0]),
                words=_words(rows[0][3][0], cells[0]),
            )
            for number, (label, hint, url, cells) in enumerate(rows, start=1)
        ],
    )


def _shown(snapshot: Snapshot | None) -> Shown | None:
    return show(figure_from(snapshot), snapshot.starts_on) if snapshot else None


def _rank(shown: Shown | None) -> tuple[int, Decimal]:
    """The largest first; then those of too few people for a verdict, then those that say none."""
    value = value_of(shown)
    if shown is None or value is None:
        return 2, Decimal(0)
    return int(SMALL_N in shown.figure.flags), -value


def _excess(shown: Shown | None) -> Decimal | None:
    value = value_of(shown)
    limit = shown.figure.kpi.limit if shown else None
    if shown is None or value is None or limit is None or SMALL_N in shown.figure.flags:
        return None
    return value - limit


def _words(best: Shown | None, shown: Shown | None) -> str:
    """Whether a share is below the first one's by more than chance; empty of the first itself.

    Empty too of those that stand last because they are of too few, however large they are.
    """
    if best is None or shown is None or best is shown or SMALL_N in shown.figure.flags:
        return ""
    figure, other = best.figure, shown.figure
    if value_of(best) is None or value_of(shown) is None or figure.kpi.interval != "wilson":
        return ""
    bounds = newcombe(
        int(figure.numerator), int(figure.denominator), int(other.numerator), int(other.denominator)
    )
    if bounds is None:
        return ""
    if bounds[0] > 0:
        return _("Less than the first: more than chance.")
    return _("Can't be told from the first.")
