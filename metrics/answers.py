"""One figure for a command: from the latest recompute where it is there, else computed now."""

from __future__ import annotations

from collections import Counter
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
from metrics.selectors.people import list_people, members_of
from metrics.selectors.runs import latest_run
from metrics.slices import parse_slice
from metrics.windows import last_complete, parse_window, window_of


class NotOfSome(DomainError):
    """The figure can't be said of some customers only."""

    code = "not_of_some"
    message = _("This figure is of the whole business; leave --segment out.")


@dataclass(frozen=True)
class FigureAnswer:
    """A figure as the contract prints it, and how to list who is behind it."""

    document: dict[str, Any]
    members: Callable[[str], Iterator[int]]


def answer_figure(
    key: str,
    *,
    now: datetime,
    period: Period | str | None = None,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
    segment: str | None = None,
    product_sku: str | None = None,
    engine: str | None = None,
) -> FigureAnswer:
    """Return one figure.

    period: a period, or ``90d`` for the days up to as_of. None means the last complete month at
    as_of, or for figures of everything up to a moment that moment itself. Without as_of and
    known_at those of the latest recompute are meant.
    segment: of some customers only; see :func:`metrics.slices.parse_slice`.

    :raises ValidationError: no such figure, engine, period or kind of slice.
    :raises NotOfSome: the figure can't be cut.
    :raises NotFound: no such product, shop, tag, segment, ….
    """
    if key not in KPIS:
        raise ValidationError(
            _("There is no figure %(key)s. There are: %(keys)s."),
            code="kpi",
            params={"key": key, "keys": ", ".join(KPIS)},
        )
    kpi = KPIS[key]
    dimension = parse_slice(segment) if segment else ""
    if dimension and not kpi.is_sliced:
        raise NotOfSome
    if not (as_of or known_at):
        run = latest_run()
        if run:
            period = period or _default_period(kpi, run.as_of)
            if not (product_sku or engine) and (
                snapshot := find_snapshot(run, key, str(period or ""), dimension=dimension)
            ):
                return FigureAnswer(
                    snapshot_document(snapshot), lambda name: members_of(snapshot, name)
                )
            as_of, known_at = run.as_of, run.known_at
    asked = _Asked(kpi, str(period or ""), dimension, product_sku)
    return _computed(asked, now, as_of, known_at, engine or AUTO)


@dataclass(frozen=True, slots=True)
class _Asked:
    kpi: Kpi
    period: str
    dimension: str
    product_sku: str | None


def _default_period(kpi: Kpi, as_of: datetime) -> Period | None:
    return None if kpi.per == "as_of" else last_complete("month", as_of)


def _computed(
    asked: _Asked, now: datetime, as_of: datetime | None, known_at: datetime | None, engine: str
) -> FigureAnswer:
    known_at = known_at or now
    as_of = as_of or min(now, known_at)
    cut: dict[str, Any] = {"as_of": as_of, "known_at": known_at}
    period = asked.period or str(_default_period(asked.kpi, as_of) or "")
    window = parse_window(period, **cut) if period else window_of(None, **cut)
    store = sync_facts(now=now).store
    with computing(store, engine=engine, **cut) as computation:
        [figure] = computation.figures(
            asked.kpi, [window], product_sku=asked.product_sku, dimension=asked.dimension
        )
    sets = {name: [int(customer_id) for customer_id in ids] for name, ids in figure.sets.items()}
    return FigureAnswer(
        document(figure, as_of=as_of, known_at=known_at, computed_at=now),
        lambda name: iter(sets.get(name, [])),
    )


def answer_rfm(*, now: datetime) -> dict[str, Any]:
    """Return every customer's scores and segment, and how many customers each segment has.

    As of the latest recompute, else now. Customers are in the order of their records' ids; one
    without an external id has null there.
    """
    from metrics.engines.kernels_customers import SEGMENTS, rfm, summary

    run = latest_run()
    as_of, known_at = (run.as_of, run.known_at) if run else (now, now)
    store = sync_facts(now=now).store
    with computing(store, as_of=as_of, known_at=known_at) as computation:
        orders = computation.orders
        found = rfm(summary(orders, as_of))
    scores = (column.tolist() for column in (found.recency, found.frequency, found.monetary))
    rows = zip(list_people(orders.ids.tolist()), *scores, found.segment.tolist(), strict=True)
    customers = [
        {
            "external_id": person.external_id,
            "r": recency,
            "f": frequency,
            "m": monetary,
            "segment": SEGMENTS[segment],
        }
        for person, recency, frequency, monetary, segment in rows
    ]
    counts = Counter(row["segment"] for row in customers)
    return {"customers": customers, "segments": {name: counts[name] for name in SEGMENTS}}
