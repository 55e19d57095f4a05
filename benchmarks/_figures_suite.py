"""The hot suite by the product's own kernels, and its parts for the refresh of new orders."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
from _figures_data import AS_OF, FIRST_MONTH, MONTHS, Trade, micros
from _figures_rivals import REPEAT_DAYS, Answer, Question, naive

from common.time import organisation_timezone
from metrics.engines import kernels, kernels_customers, kernels_money, kernels_worth
from metrics.engines.incremental import KERNELS, Change
from metrics.engines.orders import Block, Orders
from metrics.engines.reading import load_orders
from metrics.facts.store import Store
from metrics.kpis.local_time import offsets
from metrics.kpis.value import DISCOUNTS
from metrics.windows import Window, windows_kept

CUT: dict[str, Any] = {"as_of": AS_OF, "known_at": AS_OF}
CURRENCY = "USD"
TABLES = ("order_states", "links", "refunds")


def question(store: Store) -> Question:
    first = FIRST_MONTH.first_day
    last = FIRST_MONTH.shifted(MONTHS).first_day
    kept = windows_kept(first_day=first, last_day=date(last.year - 1, 12, 31), **CUT)
    windows = [w for w in kept if w.unit in ("month", "quarter", "year") and w.start < AS_OF]
    shifts = offsets(organisation_timezone(), AS_OF.date())
    begin = max(at for at, (since, _) in enumerate(shifts) if since <= naive(FIRST_MONTH.start))
    return Question(
        windows=windows,
        months=[w for w in windows if w.unit == "month"],
        as_of=AS_OF,
        currency=CURRENCY,
        shifts=shifts[begin:],
        discounts=DISCOUNTS,
        paths={name: store.paths(name) for name in TABLES},
    )


def everything(asked: Question) -> Window:
    """The window of everything up to as_of."""
    return next(w for w in windows_kept(first_day=None, last_day=None, **CUT) if w.unit == "all")


def read(store: Store) -> Orders:
    return load_orders(store, currency=CURRENCY, **CUT)


def by_kernels(orders: Orders, asked: Question) -> Answer:
    """Carry the suite out; with the members of every set, which the rivals don't give."""
    answer, windows, whole = Answer(), asked.windows, everything(asked)
    kept = kernels.retention(orders, windows)
    for kernel in (kernels.source_form, kernels.average_form, kernels.churn):
        kernel(orders, windows)
    for name, measure in kept.items():
        sets = ("denominator", "end", "numerator", "new", "won_back")
        answer.retention[name] = tuple(len(measure.sets[one]) for one in sets)
    gross = kernels_money.gross_churn(orders, windows)
    kernels_money.net_churn(orders, windows)
    for name, measure in kernels_money.net_retention(orders, windows).items():
        lost = gross[name].numerator
        answer.revenue[name] = measure.denominator, lost, measure.numerator
    for cell in kernels.cohorts(orders, asked.months):
        answer.cohorts[cell.cohort, cell.month] = len(cell.members), cell.amount
    for days in REPEAT_DAYS:
        measure = kernels.repeat_within(orders, [whole], days=days)[whole.name]
        answer.repeat[str(days)] = measure.numerator, measure.denominator
    measure = kernels.repeat_lifetime(orders, [whole])[whole.name]
    answer.repeat["lifetime"] = measure.numerator, measure.denominator
    found = kernels_customers.summary(orders, AS_OF)
    scored = kernels_customers.rfm(found)
    counts, _unknown, worth = kernels_worth.Worth(orders).until(AS_OF)
    answer.customers = {
        "customer_id": found.ids,
        "orders": found.orders,
        "revenue": found.revenue,
        "first": found.first,
        "last": found.last,
        "days": found.days,
        "first_day": found.first_day,
        "last_day": found.last_day,
        "recency": scored.recency,
        "frequency": scored.frequency,
        "monetary": scored.monetary,
        "npv": np.where(counts, worth, np.iinfo(np.int64).min),
    }
    return answer


def refreshed_parts(orders: Orders, asked: Question) -> None:
    """Work out anew what :class:`metrics.engines.incremental.Running` keeps."""
    for kernel in KERNELS.values():
        kernel(orders, [*asked.windows, everything(asked)])
    kernels.cohorts(orders, asked.months)


def new_orders(made: Trade, count: int, *, seed: int) -> Change:
    """Make up orders of the last ten days; one in twenty is a new customer's."""
    random = np.random.default_rng(seed)
    known = made.customer_id[random.integers(0, len(made.customer_id), count)]
    new = made.customers + seed * count + np.arange(count)
    ids = np.where((known == 0) | (np.arange(count) % 20 == 0), new, known)
    times = micros(AS_OF) - random.integers(1, 10 * 86_400, count) * 1_000_000
    amounts = random.integers(1, 10_000, count) * 100
    yes = np.ones(count, dtype=bool)
    return Change(added=Block(ids, times, amounts, amounts * 4 // 10, yes, yes))
