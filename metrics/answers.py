"""One figure for a command: from the latest recompute where it is there, else computed now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from common.errors import DomainError
from common.time import Period
from metrics.compute import AUTO, computing
from metrics.facts.sync import sync_facts
from metrics.figures import document
from metrics.kpis import KPIS
from metrics.kpis.base import Kpi
from metrics.selectors.figures import find_snapshot, snapshot_document
from metrics.selectors.people import members_of
from metrics.selectors.runs import latest_run
from metrics.windows import last_complete, window_of


class SegmentsNotThere(DomainError):
    """Figures can't be cut by segments yet."""

    code = "segments_not_there"
    message = _("Segments are not there yet; leave --segment out.")


@dataclass(frozen=True)
class FigureAnswer:
    """A figure as the contract prints it, and how to list who is behind it."""

    document: dict[str, Any]
    members: Callable[[str], Iterator[int]]


def answer_figure(
    key: str,
    *,
    now: datetime,
    period: Period | None = None,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
    segment: str | None = None,
    product_sku: str | None = None,
    engine: str | None = None,
) -> FigureAnswer:
    """Return one figure.

    period: None means the last complete month at as_of, or for figures of everything up to a
    moment that moment itself. Without as_of and known_at those of the latest recompute are meant.

    :raises ValidationError: no such figure or engine.
    :raises SegmentsNotThere: a segment was asked for.
    :raises NotFound: no such product.
    """
    if key not in KPIS:
        raise ValidationError(
            _("There is no figure %(key)s. There are: %(keys)s."),
            code="kpi",
            params={"key": key, "keys": ", ".join(KPIS)},
        )
    if segment:
        raise SegmentsNotThere
    kpi = KPIS[key]
    if not (as_of or known_at):
        run = latest_run()
        if run:
            period = period or _default_period(kpi, run.as_of)
            if not (product_sku or engine) and (
                snapshot := find_snapshot(run, key, str(period or ""))
            ):
                return FigureAnswer(
                    snapshot_document(snapshot), lambda name: members_of(snapshot, name)
                )
            as_of, known_at = run.as_of, run.known_at
    return _computed(kpi, period, now, as_of, known_at, product_sku, engine or AUTO)


def _default_period(kpi: Kpi, as_of: datetime) -> Period | None:
    return None if kpi.per == "as_of" else last_complete("month", as_of)


def _computed(
    kpi: Kpi,
    period: Period | None,
    now: datetime,
    as_of: datetime | None,
    known_at: datetime | None,
    product_sku: str | None,
    engine: str,
) -> FigureAnswer:
    known_at = known_at or now
    as_of = as_of or min(now, known_at)
    period = period or _default_period(kpi, as_of)
    window = window_of(period, as_of=as_of, known_at=known_at)
    store = sync_facts(now=now).store
    with computing(store, as_of=as_of, known_at=known_at, engine=engine) as computation:
        [figure] = computation.figures(kpi, [window], product_sku=product_sku)
    sets = {name: [int(customer_id) for customer_id in ids] for name, ids in figure.sets.items()}
    return FigureAnswer(
        document(figure, as_of=as_of, known_at=known_at, computed_at=now),
        lambda name: iter(sets.get(name, [])),
    )
