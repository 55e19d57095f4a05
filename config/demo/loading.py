"""Loading demo data through the import, and what makes them a living business."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

from django.core.management import call_command
from django.db.models import Count, Max, Min, Sum
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict
from common.models import Event
from common.services import SYSTEM, record_event
from common.time import local_date, start_of_day
from config.demo import completejourney, synthetic
from config.demo.contacts import record_contacts
from config.demo.dataset import Dataset, DemoPlan
from config.demo.opinions import record_opinions
from config.demo.service import record_service
from config.demo.standards import record_standards
from crm.imports.batches import ImportPlan
from crm.imports.engine import import_source
from crm.imports.sources import Source
from crm.models import Customer, ImportBatch, Order, OrderLine

BEGAN, LOADED = "demo.began", "demo.loaded"
LIVE_DAYS = 42  # the last weeks are entered live: they earn points and are followed up
LATE_DAYS = 30
FOLLOW_UP_DAYS = 3
FOLLOWED_UP = timedelta(days=2)  # deliveries of so long are due for a follow-up at once
Tell = Callable[[str], None]


class OtherData(Conflict):
    """The database holds something else than the demo data asked for."""

    code = "demo_other_data"
    message = _("This database holds other data. Choose another data folder for the demo.")


@dataclass(slots=True)
class Loaded:
    """What the demo data come to. was_there: they had been loaded before."""

    plan: DemoPlan
    figures: dict[str, Any] = field(default_factory=dict)
    was_there: bool = False


def load_demo(
    *,
    source: str,
    now: datetime,
    seed: int,
    keep_dates: bool = False,
    customers: int = 0,
    months: int = 0,
    tell: Tell = lambda text: None,
) -> Loaded:
    """Load demo data once and return what they come to; again, change nothing.

    source: ``completejourney`` or ``synthetic``.
    customers, months: size of synthetic data.
    A run that was killed goes on when it is started again.

    :raises OtherData: the database holds real customers or other demo data; nothing is written.
    """
    wanted = _plan(source, now, seed, keep_dates, customers, months)
    loaded = Event.objects.filter(kind=LOADED).order_by("id").last()
    began = Event.objects.filter(kind=BEGAN).order_by("id").last()
    if began:
        plan = DemoPlan.from_codes(began.codes)
        if not plan.is_for(wanted):
            raise OtherData
        if loaded:
            return Loaded(plan, dict(loaded.codes), was_there=True)
        wanted = plan
    elif Customer.objects.filter(is_invented=False).exists():
        raise OtherData
    else:
        _record(BEGAN, wanted, now, wanted.as_codes())
    _import_all(_module(source).open_dataset(wanted), now, tell)
    figures = _bring_to_life(wanted, now, tell)
    tell("Computing the figures.")
    call_command("recompute_kpis", verbosity=0, stdout=_Nowhere())
    figures = _totals() | figures
    _record(LOADED, wanted, now, figures)
    return Loaded(wanted, figures)


def _plan(
    source: str, now: datetime, seed: int, keep_dates: bool, customers: int, months: int
) -> DemoPlan:
    module = _module(source)
    yesterday = local_date(now) - timedelta(days=1)
    days = 0 if keep_dates else module.days_to_move(yesterday)
    last_day = module.LAST_DAY if keep_dates else yesterday
    return DemoPlan(
        source=source,
        seed=seed,
        days=days,
        keep_dates=keep_dates,
        last_day=last_day.isoformat(),
        live_from=start_of_day(last_day - timedelta(days=LIVE_DAYS - 1)),
        customers=customers,
        months=months,
    )


def _module(source: str) -> ModuleType:
    return completejourney if source == "completejourney" else synthetic


def _import_all(dataset: Dataset, now: datetime, tell: Tell) -> None:
    live_from = dataset.plan.live_from
    history, live = ImportBatch.Mode.HISTORY, ImportBatch.Mode.LIVE
    parts: tuple[tuple[str, str, Source], ...] = (
        ("locations", history, dataset.locations),
        ("products", history, dataset.products),
        ("customers", history, dataset.customers),
        ("leads", history, dataset.leads),
        ("orders", history, dataset.orders(None, live_from)),
        ("orders", live, dataset.orders(live_from, None)),
    )
    name = f"demo:{dataset.plan.source}"
    for kind, mode, source in parts:
        digest = dataset.plan.digest(f"{kind}:{mode}")
        done = ImportBatch.objects.filter(
            kind=kind, mode=mode, file_digest=digest, status=ImportBatch.Status.DONE
        )
        if done.exists():
            continue
        tell(f"Loading {kind}{' of the last weeks' if mode == live else ''}.")
        outcome = import_source(
            source=source,
            plan=ImportPlan(kind, mode, SYSTEM, name, digest, now),
            is_invented=True,
            tell=tell,
        )
        if outcome.rejected:
            raise RuntimeError(f"demo {kind}: {outcome.rejects}")


def _bring_to_life(plan: DemoPlan, now: datetime, tell: Tell) -> dict[str, Any]:
    """Points and their past, complaints and answers, one follow-up rule; nothing is sent."""
    from config.demo.points import record_points
    from outreach.services import ensure_follow_up_rule

    tell("Awarding points.")
    record_points(plan=plan, now=now)
    tell("Adding simulated complaints and answers.")
    complaints, answers = record_opinions(seed=plan.seed, now=now)
    tell("Adding simulated contacts, notes and tasks.")
    talks = record_contacts(seed=plan.seed, now=now)
    tell("Adding simulated refunds, costs, offers and requests to leave.")
    service = record_service(seed=plan.seed, now=now)
    tell("Following the service standards.")
    standards = record_standards(seed=plan.seed, now=now)
    delay = timedelta(days=FOLLOW_UP_DAYS)
    last_order = Order.objects.aggregate(last=Max("ordered_at"))["last"]
    ensure_follow_up_rule(
        delay_days=FOLLOW_UP_DAYS,
        happened_at=now,
        actor=SYSTEM,
        active_from=min(now - delay, last_order) - FOLLOWED_UP,
        keeps_quiet_hours=False,  # a demo's emails are due now, whatever the hour and the year
        late_days=max(LATE_DAYS, (now - last_order).days + LATE_DAYS),
    )
    return {
        "complaints": complaints,
        "answers": answers,
        "talks": talks,
        "standards": standards,
        **service,
    }


def _totals() -> dict[str, Any]:
    orders = Order.objects.aggregate(
        count=Count("id"), revenue=Sum("amount"), first=Min("ordered_at"), last=Max("ordered_at")
    )
    return {
        "customers": Customer.objects.count(),
        "orders": orders["count"],
        "lines": OrderLine.objects.count(),
        "revenue": str(orders["revenue"]),
        "first_order": orders["first"].isoformat(),
        "last_order": orders["last"].isoformat(),
    }


def _record(kind: str, plan: DemoPlan, now: datetime, codes: dict[str, Any]) -> None:
    record_event(
        kind=kind,
        subject_kind="demo",
        subject_ref=plan.source,
        occurred_at=now,
        codes=codes,
    )


class _Nowhere:
    """Swallows what a command prints."""

    def write(self, _text: str) -> None:
        """Do nothing."""
