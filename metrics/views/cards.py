"""Figures as cards, on the home page and the overview."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from metrics.kpis import KPIS
from metrics.models import RecomputeRun, Snapshot
from metrics.selectors.figures import figure_from, list_latest
from metrics.windows import last_complete
from metrics.words import Shown, show

HOME_KEYS = ("retention_rate", "complaint_rate", "nps", "repeat_purchase_rate_90d")


@dataclass(frozen=True, slots=True)
class Card:
    """A figure of the last complete quarter (or of everything), and the same quarter so far."""

    shown: Shown
    so_far: Shown | None


def latest_card(key: str, run: RecomputeRun, snapshots: list[Snapshot]) -> Card | None:
    """Return a figure's card from a run's snapshots; None when it isn't among them."""
    mine = {snapshot.period: snapshot for snapshot in snapshots if snapshot.kpi == key}
    if KPIS[key].per == "as_of":
        found = mine.get("")
        return Card(_shown(found), None) if found else None
    quarter = last_complete("quarter", min(run.as_of, run.known_at))
    found = mine.get(str(quarter))
    present = mine.get(str(quarter.shifted(1)))
    if found is None:
        return None
    so_far = present if present and present.denominator and not KPIS[key].looks_back else None
    return Card(_shown(found), _shown(so_far) if so_far else None)


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
