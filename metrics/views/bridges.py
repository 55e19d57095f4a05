"""Bridges: how what there was at the start became what there is at the end, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from common.display import format_money, format_number
from metrics.kpis.base import DENOMINATOR
from metrics.kpis.retention import END, LOST, NEW, WON_BACK
from metrics.kpis.revenue import CONTRACTED, EXPANDED
from metrics.views.told import Told

# Of the people of retention: what a step does to the sum.
MOVES = {DENOMINATOR: "", LOST: "−", WON_BACK: "+", NEW: "+", END: "="}


@dataclass(frozen=True, slots=True)
class Step:
    """One step. amount: signed, as it enters the sum.  is_total: where the sum stands.

    links: names and addresses of the people behind it, with how many they are.
    """

    label: str
    amount: Decimal | int
    is_total: bool = False
    is_money: bool = False
    links: Sequence[tuple[str, int, str]] = ()

    @property
    def url(self) -> str:
        """The people, where they are one set."""
        return self.links[0][2] if len(self.links) == 1 else ""

    @property
    def text(self) -> str:
        """The amount for people, with its sign."""
        size = -self.amount if self.amount < 0 else self.amount
        shown = format_money(size, settings.KEEPWELL_CURRENCY) if self.is_money else None
        shown = shown or format_number(size)
        if self.is_total or not self.amount:
            return f"−{shown}" if self.amount < 0 else shown
        return f"{'−' if self.amount < 0 else '+'}{shown}"


@dataclass(frozen=True, slots=True)
class Bridge:
    """Steps, and the chart static/js/charts.js draws of them."""

    steps: Sequence[Step]
    chart: dict[str, Any]


def people_bridge(told: Told) -> Bridge | None:
    """Return start, lapsed, won back, new and end of retention; None where nobody was there."""
    sets = {one["name"]: one for one in told.sets}
    if not any(sets[name]["size"] for name in MOVES):
        return None
    steps = []
    for name, sign in MOVES.items():
        one = sets[name]
        links = [(str(one["label"]), one["size"], one["url"])]
        amount = -one["size"] if sign == "−" else one["size"]
        steps.append(Step(str(one["label"]), amount, sign in ("", "="), links=links))
    return _bridge(steps, _("Customers"))


def revenue_bridge(gross: Told, net: Told, lapsed: Told | None = None) -> Bridge | None:
    """Return revenue before, what was lost, what was gained, and what is kept.

    gross, net: revenue lost and revenue lost net, of one period.  lapsed: the part of it that went
    with those who lapsed; without, as of runs before it was kept, the loss is one step.  None
    without revenue before.
    """
    lost, change = Decimal(gross.shown.figure.numerator), Decimal(net.shown.figure.numerator)
    before = Decimal(gross.shown.figure.denominator)
    if not before:
        return None
    sets = {one["name"]: one for one in gross.sets}

    def links(*names: str) -> list[tuple[str, int, str]]:
        return [(str(sets[n]["label"]), sets[n]["size"], sets[n]["url"]) for n in names]

    losses = [Step(str(_("Lapsed or bought less")), -lost, False, True, links(LOST, CONTRACTED))]
    if lapsed is not None:
        gone = Decimal(lapsed.shown.figure.numerator)
        losses = [
            Step(str(sets[LOST]["label"]), -gone, False, True, links(LOST)),
            Step(str(sets[CONTRACTED]["label"]), gone - lost, False, True, links(CONTRACTED)),
        ]
    steps = [
        Step(str(_("Brought before")), before, True, True, links(DENOMINATOR)),
        *losses,
        Step(str(_("Bought more")), lost - change, False, True, links(EXPANDED)),
        Step(str(_("Bring now")), before - change, True, True),
    ]
    return _bridge(steps, _("Revenue"))


def _bridge(steps: Sequence[Step], name: Promise | str) -> Bridge:
    is_money = any(step.is_money for step in steps)
    chart: dict[str, Any] = {
        "type": "bridge",
        "labels": [step.label for step in steps],
        "series": [
            {
                "name": str(name),
                "values": [float(step.amount) for step in steps],
                "links": [step.url or None for step in steps],
            }
        ],
        "totals": [step.is_total for step in steps],
        "unit": "money" if is_money else "count",
    }
    if is_money:
        chart["currency"] = settings.KEEPWELL_CURRENCY
    return Bridge(steps, chart)
