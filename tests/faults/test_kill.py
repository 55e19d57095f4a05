"""``kill -9`` while orders come in: afterwards nothing is lost and nothing is done twice."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.running import RunningKeepwell, running, wait_for

__all__ = ["running"]
pytestmark = [pytest.mark.slow, pytest.mark.system]
ROUNDS = int(os.environ.get("KEEPWELL_FAULT_ROUNDS", "1"))
ORDERS = 24  # per round, each of its own customer

SET_UP = """
from datetime import timedelta
from accounts.models import Role
from accounts.services import create_api_key
from common.time import now
from crm.services import record_consent, record_customer
from loyalty.services import ensure_programme
from outreach.services import ensure_follow_up_rule
moment = now()
ensure_programme(starts_at=moment - timedelta(days=1), happened_at=moment)
ensure_follow_up_rule(
    delay_days=0, happened_at=moment, actor="system", keeps_quiet_hours=False,
    active_from=moment - timedelta(days=1),
)
for number in range({customers}):
    customer = record_customer(
        happened_at=moment, actor="system", external_id=f"c{{number}}",
        name=f"Customer {{number}}", email=f"c{{number}}@customers.example", language="en",
    )
    record_consent(
        customer_id=customer.pk, purpose="surveys", is_granted=True, happened_at=moment,
        actor="system", source="staff",
    )
answer = create_api_key(name="till", role=Role.ADMIN, created_at=moment)[1]
"""

LEASES_RUN_OUT = """
from datetime import timedelta
from common.time import now
from mailing.services.sending import release_expired
answer = release_expired(now() + timedelta(hours=1))
"""

COUNTS = """
from collections import Counter
from crm.models import Order
from loyalty.models import PointsAccount, PointsTransaction
from loyalty.selectors import verify_ledger
from mailing.models import Message
from outreach.models import Enrolment
earned = PointsTransaction.objects.filter(kind="earn")
answer = {
    "orders": Order.objects.count(),
    "orders_with_points": earned.values("order").distinct().count(),
    "points_transactions": earned.count(),
    "points": sum(earned.values_list("points", flat=True)),
    "enrolments": Enrolment.objects.count(),
    "messages": Message.objects.count(),
    "states": dict(Counter(Message.objects.values_list("state", flat=True))),
    "drifts": len(list(verify_ledger().drifts)),
}
"""


def order(running: RunningKeepwell, key: str, number: int) -> int:
    """Record one order as a till does: again and again with one key, until it is answered."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 5))
    body = {
        "external_id": f"o{number}",
        "customer": f"c{number}",
        "ordered_at": moment,
        "amount": "25.00",
        "status": "delivered",
        "delivered_at": moment,
    }
    for _ in range(60):
        answer = running.api("POST", "orders/", body, key=key, once=f"order-{number}")
        if answer.status in (200, 201, 400, 409, 422):
            return answer.status
        time.sleep(0.5)
    return answer.status


def test_nothing_is_lost_or_doubled_when_worker_and_broker_are_killed(
    running: RunningKeepwell,
) -> None:
    total = ROUNDS * ORDERS
    key = running.python(SET_UP.format(customers=total))
    for number in range(ROUNDS):
        numbers = range(number * ORDERS, (number + 1) * ORDERS)
        killer = threading.Thread(target=kill_parts, args=(running,))
        with ThreadPoolExecutor(3) as tills:
            killer.start()
            statuses = list(tills.map(lambda n: order(running, key, n), numbers))
        killer.join()
        assert set(statuses) == {201}

    seen: list[dict[str, Any]] = []

    def everything_is_done() -> dict[str, Any] | None:
        counts: dict[str, Any] = running.python(COUNTS)
        complete = counts["points_transactions"] == total == counts["messages"]
        if complete and set(counts["states"]) <= {"sent", "uncertain"}:
            return counts
        if counts["states"].get("claimed") and seen[-2:] == [counts, counts]:
            running.python(LEASES_RUN_OUT)  # of a killed worker; spares us the minutes
        seen.append(counts)
        return None

    counts = wait_for(everything_is_done, "all points awarded and all messages sent", 240)
    time.sleep(5)  # two more ticks may not change anything
    assert running.python(COUNTS) == counts
    states = counts.pop("states")
    assert counts == {
        "orders": total,
        "orders_with_points": total,
        "points_transactions": total,
        "points": 25 * total,
        "enrolments": total,
        "messages": total,
        "drifts": 0,
    }
    assert_mail_arrived_once(running, total, states.get("uncertain", 0))


def kill_parts(running: RunningKeepwell) -> None:
    """Kill the worker, the broker, and both at once, in the midst of the orders."""
    time.sleep(1)
    running.kill("worker")
    time.sleep(2)
    running.kill("broker")
    time.sleep(1)
    running.kill("worker", is_back=False)
    running.kill("broker")


def assert_mail_arrived_once(running: RunningKeepwell, total: int, uncertain: int) -> None:
    """Uncertain ones, cut off in talk with the server, arrived or didn't: never twice."""
    arrived = Counter(message["Message-ID"] for message in running.smtp.messages)
    recipients = {str(message["To"]) for message in running.smtp.messages}
    assert set(arrived.values()) == {1}
    assert len(recipients) == len(arrived)
    assert total - uncertain <= len(arrived) <= total
