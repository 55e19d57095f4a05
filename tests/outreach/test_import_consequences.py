"""History has no consequences at all; live has those of what is entered today."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from common.sweeping import sweepers
from common.time import now
from crm.models import Notification, Run, Task
from loyalty.models import Membership, PointsTransaction
from loyalty.services import open_programme
from mailing.models import Message
from outreach.models import Enrolment
from outreach.services import ensure_follow_up_rule
from tests.cast import ACTOR
from tests.crm.standards import make_playbook

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
Import = Callable[..., Any]
DAY = timedelta(days=1)
NOTHING = {"emails": 0, "points": 0, "tasks": 0}


def day(days_ago: int) -> str:
    return f"{now() - days_ago * DAY:%Y-%m-%d}"


FILES = {
    "customers": lambda: (
        "external_id,name,email,acquired_at,marketing_consent\n"
        f"ann,Ann,ann@customers.example,{day(90)},yes\n"
        f"bob,Bob,bob@customers.example,{day(90)},yes\n"
        f"cat,Cat,cat@customers.example,{day(90)},no\n"
    ),
    "orders": lambda: (
        "order_id,customer_id,ordered_at,amount,status\n"
        f"o1,ann,{day(5)},10,\n"
        f"o2,ann,{day(4)},20,\n"
        f"o3,bob,{day(4)},40,placed\n"
        f"o4,bob,{day(80)},80,\n"  # too long ago to be asked about
        f"o5,cat,{day(4)},160,\n"  # never agreed to be asked
    ),
    "complaints": lambda: (
        "external_id,opened_at,customer_id,text,status,resolved_at\n"
        f"c1,{day(3)},ann,The lid broke,,\n"
        f"c2,{day(3)},bob,Late,resolved,{day(2)}\n"
    ),
    "survey_responses": lambda: (
        f"external_id,customer_id,kind,score,answered_at\nr1,ann,nps,0,{day(3)}\n"
    ),
}


@pytest.fixture(autouse=True)
def _rules_are_in_force(db: None) -> None:
    """A programme that began long ago, a follow-up, standards for customers and complaints."""
    at = now()
    open_programme(
        name="Sunny", starts_at=at - 400 * DAY, happened_at=at, actor=ACTOR, pending_days=0
    )
    ensure_follow_up_rule(delay_days=3, happened_at=at, actor=ACTOR, active_from=at - 400 * DAY)
    make_playbook(trigger="customer.recorded")
    make_playbook(trigger="complaint.opened")


def sweep(at: datetime) -> None:
    """Every sweep but those of figures, twice."""
    for _again in range(2):
        for one in sorted(sweepers.values(), key=lambda one: one.order):
            if not one.name.startswith("metrics."):
                one.run(at)


def consequences() -> dict[str, int]:
    models = (Message, PointsTransaction, Membership, Enrolment, Run, Task, Notification)
    return {model.__name__: model._default_manager.count() for model in models}


def test_history_sends_awards_and_sets_nothing(imported: Import) -> None:
    before = consequences()
    for kind, text in FILES.items():
        foreseen = imported(kind, text(), is_dry_run=True).foreseen["consequences"]
        assert foreseen["history"] == NOTHING
        assert imported(kind, text()).rejected == 0
    sweep(now())
    assert consequences() == before
    assert not any(before.values())


def test_live_leads_to_what_the_check_foresaw(imported: Import) -> None:
    foreseen = {}
    for kind, text in FILES.items():
        checked = imported(kind, text(), is_dry_run=True)
        foreseen[kind] = checked.foreseen["consequences"]["live"]
        assert imported(kind, text(), mode="live").rejected == 0
    assert foreseen == {
        "customers": NOTHING | {"tasks": 6},
        "orders": NOTHING | {"emails": 1, "points": 270},
        "complaints": NOTHING | {"tasks": 2},
        "survey_responses": NOTHING,
    }
    sweep(now())
    found = consequences()
    assert list(Message.objects.values_list("customer__external_id", "kind")) == [("ann", "survey")]
    earned = PointsTransaction.objects.filter(kind="earn").values_list("points", flat=True)
    assert sum(earned) == 270
    assert (found["Run"], found["Task"]) == (4, 8)
    before = consequences()
    for kind, text in FILES.items():
        again = imported(kind, text(), mode="live", is_dry_run=True)
        assert again.foreseen["consequences"]["live"] == NOTHING
        imported(kind, text(), mode="live")
    sweep(now())
    assert consequences() == before
