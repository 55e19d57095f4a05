"""What a figure is: its words, its unit, and the one expression that defines it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from metrics.kpis.sources import source_hash
from metrics.needs import needs_words

Unit = Literal["percent", "money", "score", "days", "ratio", "count", "per_1000"]
CountUnit = Literal["count", "money"]
Interval = Literal["wilson", "newcombe", "mean", "adjusted_wald", "ratio", "quantile", "none"]
Group = Literal[
    "retention", "purchases", "revenue", "value", "funnel", "voice", "complaints", "standards",
    "save", "loyalty",
]  # fmt: skip
GROUPS: dict[str, Promise | str] = {
    "retention": _("Retention"),
    "purchases": _("Purchases"),
    "revenue": _("Revenue kept"),
    "value": _("Customer value"),
    "funnel": _("From lead to customer"),
    "voice": _("What customers say"),
    "complaints": _("Complaints"),
    "standards": _("Service standards"),
    "save": _("Cancellations"),
    "loyalty": _("Loyalty"),
}
NUMERATOR, DENOMINATOR = "numerator", "denominator"


@dataclass(frozen=True, slots=True)
class Expression:
    """A figure as ibis tables over the facts.

    members: ``window, name, customer_id``, each customer once per window and name: the sets of
        people. Numerator and denominator are the sizes of the sets called so, unless there are:
    amounts: ``window, customer_id, numerator, denominator`` (int64), ``detail`` (float64); at most
        one row per window and customer, null for nobody known. They are summed, so that the same
        of some people is the sum over these. detail: what the interval needs besides: for ``mean``
        the sum of squares of the single values, for ``adjusted_wald`` the number of promoters,
        else 0.0.
    values: ``window, customer_id, value`` (float64): single values, as many as there are, of which
        the figure is the median or another quantile.
    """

    members: Any = None
    amounts: Any = None
    values: Any = None


@dataclass(slots=True)
class Amounts:
    """Per-customer parts of a window's sums, as arrays of one length; id 0 for nobody known."""

    ids: Any
    numerator: Any
    denominator: Any
    detail: Any


@dataclass(slots=True)
class Values:
    """A window's single values and whose they are (0: nobody known), as arrays of one length."""

    ids: Any
    values: Any


@dataclass(slots=True)
class Measure:
    """A figure's raw result for one window.

    numerator, denominator: counts, or money in 1/10,000.
    sets: name → customer ids, sorted (an array or a list).
    detail: the sum of ``Expression.amounts.detail``; None without.
    amounts, values: by customer, where the figure has them; slices are cut from these.
    people: how many customers there are, where that can't be told from the sets.
    """

    numerator: int = 0
    denominator: int = 0
    detail: float | None = None
    sets: dict[str, Any] = field(default_factory=dict)
    amounts: Amounts | None = None
    values: Values | None = None
    people: int | None = None


@dataclass(frozen=True, slots=True)
class Kpi:
    """A figure of the registry.

    title, words, example: for people; ``example`` is worked, with numbers.
    source: where the definition comes from, for people; empty where it is common knowledge.
    group: where it stands on the pages, one of :data:`GROUPS`.
    window: the stretch it looks at, in a few words.
    per: ``period`` figures are of the orders or answers of a period; ``as_of`` figures of
        everything up to a moment, which for a period is its end.
    define: ``(facts, windows) -> Expression``; see :mod:`metrics.engines.definitions`.
    kernel: ``(orders, windows) -> {window name: Measure}``, the same by array arithmetic.
    sets: names of the sets of people behind it, with what they are called.  more_sets: further
        ones, for the pages that ask for them.
    unit: of the value. ``percent`` is 100 × numerator / denominator, ``score`` too where its
        interval is ``adjusted_wald``; ``per_1000`` is 1,000 ×; ``money``, ``days``, ``ratio`` (a
        multiple: 1.7) and other scores are numerator / denominator, or a quantile of single
        values; ``count`` is the numerator itself.
    numerator_unit, denominator_unit: ``count`` or ``money`` (the numerator of a figure in money
        is money whatever it says).
    is_total: the value is the numerator itself, where there is anything in the denominator;
        figures in ``count`` always are.
    is_ratio_of_means: the value is the mean of those in the set ``numerator`` divided by the mean
        of those in the set ``denominator``; the two means are its numerator and denominator.
    compared: names of the sets whose sizes make a second share, of which the first is the excess:
        value = numerator / denominator - these two.
    interval: ``wilson`` of a proportion, ``newcombe`` of a difference of two, ``mean`` Student's
        of a mean, ``adjusted_wald`` of a net score, ``ratio`` of a ratio of two sums (drawing
        customers again), ``quantile`` by ranks.
    quantile: which quantile a figure of single values is.
    needs: fact tables without whose rows nobody is in the figure; where one is empty, the
        definition isn't run.  reads: other fact tables it is about.
    is_sliced: whether it can be said of some customers only.  is_of_products: of one product.
    looks_back: whether it needs the look-back before the start.
    looks_back_a_year: whether it needs the 365 days before the end; it is not kept by week.
    compares_days: how many days (of 24 hours) before the period it compares those after it with.
    matures_days: how long after a period its figure may still change.
    is_of_purchases: whether it ends where the purchases do.
    observational: it tells what goes together, not what follows from what.
    limit: in the value's unit; above it the figure is *large*.  few: below it, ``small_n``.
    """

    key: str
    title: Promise | str
    words: Promise | str
    example: Promise | str
    unit: Unit
    window: str
    interval: Interval
    define: Callable[[Any, Any], Expression]
    sets: Mapping[str, Promise | str]
    more_sets: Mapping[str, Promise | str] = field(default_factory=dict)
    group: Group = "retention"
    source: Promise | str = ""
    kernel: Callable[[Any, list[Any]], dict[str, Measure]] | None = None
    per: Literal["period", "as_of"] = "period"
    numerator_unit: CountUnit = "count"
    denominator_unit: CountUnit = "count"
    is_total: bool = False
    is_ratio_of_means: bool = False
    compared: tuple[str, str] | None = None
    quantile: float = 0.5
    needs: tuple[str, ...] = ("order_states",)
    reads: tuple[str, ...] = ()
    is_sliced: bool = True
    is_of_products: bool = False
    looks_back: bool = False
    looks_back_a_year: bool = False
    compares_days: int = 0
    matures_days: int = 0
    more_is_better: bool = True
    is_of_purchases: bool = True
    observational: bool = False
    limit: Decimal | None = None
    few: int = 0

    @property
    def all_sets(self) -> dict[str, Promise | str]:
        """Every set of people behind it, with what it is called."""
        return {**self.sets, **self.more_sets}

    @property
    def takes(self) -> Promise | str:
        """What has to be known before it can be told, for people; empty: purchases are enough."""
        return needs_words(self.key, self.needs)

    @property
    def numerator_is_money(self) -> bool:
        """Whether the numerator is an amount of money."""
        return self.unit == "money" or self.numerator_unit == "money"

    @property
    def denominator_is_money(self) -> bool:
        """Whether the denominator is an amount of money."""
        return self.denominator_unit == "money"

    @property
    def has_total_value(self) -> bool:
        """Whether the value is the numerator itself."""
        return self.is_total or self.unit == "count"

    @property
    def factor(self) -> int:
        """What numerator / denominator is multiplied by: 100 for shares and net scores."""
        if self.unit == "per_1000":
            return 1000
        is_net_score = self.unit == "score" and self.interval == "adjusted_wald"
        return 100 if self.unit == "percent" or is_net_score else 1

    @property
    def definition_hash(self) -> str:
        """Changes whenever the definition does, or anything it is made of."""
        parts = (
            source_hash(self.define.__module__),
            self.define.__qualname__,
            *(getattr(self, name) for name in _COUNTED),
        )
        return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()[:16]


def kernel(name: str, **options: Any) -> Callable[[Any, list[Any]], Any]:
    """Return a kernel of :mod:`metrics.engines.kernels`, which is loaded when it runs."""

    def run(orders: Any, windows: list[Any]) -> Any:
        from metrics.engines import kernels

        return getattr(kernels, name)(orders, windows, **options)

    return run


# Fields without which the same facts would make another figure.
_COUNTED = (
    "window", "unit", "interval", "limit", "few", "numerator_unit", "denominator_unit", "is_total",
    "is_ratio_of_means", "compared", "quantile", "per", "needs", "reads", "is_sliced",
    "is_of_products", "looks_back", "looks_back_a_year", "compares_days", "matures_days",
)  # fmt: skip
