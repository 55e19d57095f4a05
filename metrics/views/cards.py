"""Figures as cards, on the home page and the overview."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from metrics.kpis import KPIS
from metrics.models import RecomputeRun, Snapshot
from metrics.selectors.figures import figure_from, list_latest
from metrics.selectors.runs import seen_until
from metrics.windows import last_complete
from metrics.words import Shown, show

HOME_KEYS = ("retention_rate", "complaint_rate", "nps", "repeat_purchase_rate_90d")


@dataclass(frozen=True, slots=True)
class Card:
    """A figure of the last complete quarter (or of everything), and the next one so far."""

    shown: Shown
    so_far: Shown | None


def latest_card(key: str, run: RecomputeRun, snapshots: list[Snapshot]) -> Card | None:
    """Return a figure's card from a run's snapshots; None when it isn't among them."""
    mine = {snapshot.period: snapshot for snapshot in snapshots if snapshot.kpi == key}
    if KPIS[key].per == "as_of":
        found = mine.get("")
        return Card(_shown(found), None) if found else None
    quarter = last_complete("quarter", seen_until(run, KPIS[key]))
    if KPIS[key].matures_days and (before := mine.get(str(quarter.shifted(-1)))):
        found = mine.get(str(quarter))
        if before.is_complete and before.denominator and found and not found.is_complete:
            quarter = quarter.shifted(-1)  # the last one that can't change any more
    found, following = mine.get(str(quarter)), mine.get(str(quarter.shifted(1)))
    if found is None:
        return None
    if KPIS[key].looks_back or following is None or not following.denominator:
        return Card(_shown(found), None)
    return Card(_shown(found), _shown(following))


def home_card(key: str) -> Callable[[HttpRequest], dict[str, Any] | None]:
    """Return the loader of a figure's card on the home page; all of them share one query."""

    def load(request: HttpRequest) -> dict[str, Any] | None:
        snapshots: list[Snapshot] | None = getattr(request, "_home_figures", None)
        if snapshots is None:
            snapshots = list_latest(keys=HOME_KEYS, units=("quarter", "all"))
            request._home_figures = snapshots  # type: ignore[attr-defined]
        if not snapshots:
            return None
        card = latest_card(key, snapshots[0].run, snapshots)
        return {"card": card} if card else None

    return load


def _shown(snapshot: Snapshot) -> Shown:
    return show(figure_from(snapshot), snapshot.starts_on)
