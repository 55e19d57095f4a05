"""Where customers stand on the journey, told to crm by every recompute."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.imports.files import import_file
from crm.models import Customer, Lead
from crm.services import change_order, push_stages
from metrics.services import recompute
from tests.cast import make_customer, make_order

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

WORKED = {
    "lead": [],
    "first": [10],
    "repeat": [400, 310.5, 221, 132, 43],
    "lost": [400, 91],
    "won_back": [400, 10],
}


def bought(*days_ago: float) -> Customer:
    customer = make_customer()
    for days in days_ago:
        make_order(customer=customer, ordered_at=NOW - timedelta(days=days))
    return customer


def test_every_stage_follows_from_the_times_of_the_purchases() -> None:
    people = {stage: bought(*days) for stage, days in WORKED.items()}

    recompute(now=datetime.now(UTC), as_of=NOW)  # of the past: tells nobody
    assert {*Customer.objects.values_list("stage", flat=True)} == {"lead"}
    push_stages(stages=stages_now())

    for stage, customer in people.items():
        customer.refresh_from_db()
        assert customer.stage == stage


def stages_now() -> dict[int, str]:
    from metrics.compute import computing
    from metrics.engines.stages import stages
    from metrics.facts.sync import sync_facts

    now = datetime.now(UTC)
    synced = sync_facts(now=now, full=False)
    with computing(synced.store, engine="auto", as_of=NOW, known_at=now) as computation:
        return stages(computation.orders, NOW)


def test_a_cancelled_only_purchase_makes_a_lead_again() -> None:
    now = datetime.now(UTC)
    customer = make_customer()
    order = make_order(customer=customer, ordered_at=now - timedelta(days=1))
    recompute(now=datetime.now(UTC))
    customer.refresh_from_db()
    assert customer.stage == "first"

    change_order(order_id=order.pk, status="cancelled", happened_at=now, actor="system")
    recompute(now=datetime.now(UTC))
    customer.refresh_from_db()
    assert customer.stage == "lead"


def test_who_enquired_and_later_bought_is_a_lead_no_longer(tmp_path: Path, settings: Any) -> None:
    settings.KEEPWELL_DATA_DIR = tmp_path / "data"
    now = datetime.now(UTC)
    bring_in("leads", "external_id,enquired_at\nann,2026-01-05\nbob,2026-01-06\n", tmp_path)
    recompute(now=datetime.now(UTC))
    assert stages_by_id() == {"ann": "lead", "bob": "lead"}

    yesterday = f"{now - timedelta(days=1):%Y-%m-%d}"
    text = f"order_id,customer_id,ordered_at,amount\n1,ann,{yesterday},5\n"
    bring_in("orders", text, tmp_path)
    recompute(now=datetime.now(UTC))
    assert stages_by_id() == {"ann": "first", "bob": "lead"}
    assert Lead.objects.count() == 2  # that they enquired stays a fact


def stages_by_id() -> dict[str | None, str]:
    return dict(Customer.objects.values_list("external_id", "stage"))


def bring_in(kind: str, text: str, folder: Path) -> None:
    path = folder / f"{kind}.csv"
    path.write_text(text)
    moment = datetime.now(UTC)
    outcome = import_file(kind=kind, path=path, mode="history", actor="system", happened_at=moment)
    assert not outcome.rejected


def test_pushing_the_same_stages_again_writes_nothing() -> None:
    customer = make_customer()

    assert push_stages(stages={customer.pk: "repeat"}) == 1
    assert push_stages(stages={customer.pk: "repeat"}) == 0


def by_hand(days_ago: list[int]) -> str:
    """The definition, read out slowly. Days are distinct, the newest first."""
    if days_ago[0] > 90 or days_ago[0] <= 0:
        return "lost"
    for later, earlier in itertools.pairwise(days_ago):
        if later <= 90 and earlier - later >= 90:
            return "won_back"
    return "repeat" if len(days_ago) > 1 else "first"


@given(st.lists(st.lists(st.integers(1, 400), min_size=1, max_size=6, unique=True), max_size=5))
def test_the_kernel_agrees_with_the_definition(histories: list[list[int]]) -> None:
    import numpy as np

    from metrics.engines.calendar import micros
    from metrics.engines.orders import Orders
    from metrics.engines.stages import stages

    rows = sorted(
        (place, micros(NOW - timedelta(days=days)))
        for place, history in enumerate(histories)
        for days in history
    )
    codes = np.array([code for code, _time in rows], dtype=np.int64)
    orders = Orders.of(
        ids=np.arange(len(histories), dtype=np.int64) + 7,
        codes=codes,
        times=np.array([time for _code, time in rows], dtype=np.int64),
    )

    assert stages(orders, NOW) == {
        place + 7: by_hand(sorted(history)) for place, history in enumerate(histories)
    }
