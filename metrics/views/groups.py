"""Pages of figures that belong together: the one that leads, the others, the people, the words.

A page renders a template that extends ``metrics/group.html``, with
:func:`group_context` and what it needs besides::

    context = group_context(request, "purchases", leading="repeat_purchase_rate_90d")
    return render(request, "metrics/purchases.html", context | {"curve": …})
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest

from metrics.kpis import KPIS
from metrics.kpis.base import DENOMINATOR, GROUPS
from metrics.models import Snapshot
from metrics.selectors.figures import list_latest
from metrics.selectors.people import compare_people
from metrics.selectors.runs import is_after_the_end, shown_run
from metrics.selectors.set_sizes import sizes_of
from metrics.selectors.targets import list_targets
from metrics.views.asking import Asked, ask, bar_of, keys_of
from metrics.views.sections import metrics_sections
from metrics.views.told import Told, add_sets, moves_of, tell
from metrics.views.trends import trend_chart


def group_context(
    request: HttpRequest,
    group: str,
    *,
    leading: str = "",
    keys: Sequence[str] | None = None,
    compared_set: str = "",
    unit: str = "quarter",
) -> dict[str, Any]:
    """Return what ``metrics/group.html`` shows; ten queries at most.

    group: one of GROUPS.  leading: the figure on top (default: the group's first).  keys: the
    figures of the page (default: all of the group).  compared_set: whose people are compared with
    those of the other period (default: the denominator's).  unit: of the periods, where the
    address doesn't say.

    Its keys: ``asked``, ``bar``, ``sections``, ``group``, ``title``, ``run``; ``snapshots`` (of the
    unit asked for and of everything up to now, of all keys); ``lead`` and ``others`` (see
    :class:`metrics.views.told.Told`; lead is None where there is nothing of that period), ``chart``
    of the leading figure, ``is_invented`` (whether any of them is made from invented facts),
    ``moves``, ``unsliced`` (figures that a segment has not), ``figures`` (all of the page, for
    their definitions), ``sizes`` (figure → name of a set → how many people).
    """
    asked = ask(request, unit=unit)
    keys = list(keys or keys_of(group))
    leading = leading or (keys[0] if keys else "")
    snapshots = snapshots_of(keys, asked)
    context: dict[str, Any] = {
        "asked": asked,
        "group": group,
        "title": GROUPS.get(group, ""),
        "sections": metrics_sections(group, asked.query()),
        "figures": [KPIS[key] for key in keys],
        "snapshots": snapshots,
    }
    run = snapshots[0].run if snapshots else shown_run()
    if run is None:
        return context
    targets = list_targets()
    found = {key: told for key in keys if (told := tell(key, snapshots, asked, targets=targets))}
    lead = found.pop(leading, None)
    shown: list[Told] = [*found.values(), lead] if lead else list(found.values())
    sizes = sizes_of([told.snapshot for told in shown])
    add_sets(shown, sizes)
    bar = bar_of(asked, _offering(leading, snapshots, asked), run)
    context |= {
        "run": run,
        "bar": bar,
        "sizes": sizes,
        "lead": lead,
        "others": list(found.values()),
        "is_invented": any(told.shown.is_invented for told in shown),
        "chart": _chart(lead, bar) if lead else None,
        "moves": _moves(lead, compared_set),
        "unsliced": [KPIS[key].title for key in keys if asked.segment and not KPIS[key].is_sliced],
    }
    return context


def snapshots_of(keys: Sequence[str], asked: Asked) -> list[Snapshot]:
    """Return the figures a page shows, of the unit and the segment asked for; two queries."""
    found = list_latest(keys=keys, units=(asked.unit, "all"), dimensions=(asked.segment,))
    return [one for one in found if not is_after_the_end(one)]


def _offering(leading: str, snapshots: Sequence[Snapshot], asked: Asked) -> list[Snapshot]:
    """Of whose periods one can be chosen: the leading figure's, or another's where it has none."""
    with_periods = [one.kpi for one in snapshots if one.unit == asked.unit]
    offering = leading if leading in with_periods or not with_periods else with_periods[0]
    return [one for one in snapshots if one.kpi == offering]


def _chart(lead: Told, bar: dict[str, Any]) -> dict[str, Any] | None:
    """The leading figure's trend; of a segment beside that of all customers, one query more."""
    if not lead.snapshot.dimension:
        return trend_chart(lead.kpi, lead.periods, target=lead.target)
    periods = [one.period for one in lead.periods]
    units = {one.unit for one in lead.periods}
    run = lead.snapshot.run
    whole = list_latest(keys=[lead.kpi.key], units=units, periods=periods, run=run)
    return trend_chart(lead.kpi, lead.periods, whole=whole, label=bar["segment_label"])


def _moves(lead: Told | None, name: str) -> dict[str, Any] | None:
    """Who of the leading figure's people stayed, came and left; None without another period."""
    if lead is None or lead.other is None:
        return None
    name = name or (DENOMINATOR if DENOMINATOR in lead.kpi.sets else next(iter(lead.kpi.sets)))
    return moves_of(lead, name, compare_people(lead.other, lead.snapshot, name))
