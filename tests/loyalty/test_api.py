"""``/api/v1/loyalty/``."""

from __future__ import annotations

from datetime import timedelta

import pytest

from loyalty.models import Membership, PointsTransaction
from loyalty.services import accrue_due
from tests.cast import make_customer, make_order

pytestmark = pytest.mark.django_db


@pytest.fixture
def member(programme, clock):
    """Has 100 usable and 30 pending points; somebody else has 5 pending ones."""
    customer = make_customer(external_id="C-1")
    days_ago = clock() - timedelta(days=20)
    make_order(customer=customer, amount=100, ordered_at=days_ago, external_id="O-1")
    make_order(customer=customer, amount=30, ordered_at=clock())
    make_order(customer=make_customer(), amount=5, ordered_at=clock())
    accrue_due(clock())
    return customer


def test_it_tells_an_account_at_the_moment_of_asking(member, api_client, clock) -> None:
    answer = api_client("staff").get(f"/api/v1/loyalty/accounts/{member.ref}/")
    assert answer.status_code == 200
    body = answer.json()
    assert body["customer_external_id"] == "C-1"
    assert body["card_number"] == Membership.objects.get(customer=member).card_number
    points = [body[name] for name in ("pending", "active", "held", "debt", "available")]
    assert points == [30, 100, 0, 0, 100]
    assert (body["next_release_at"], body["next_release_points"]) == ("2026-03-17T00:00:00Z", 30)
    clock.forward(days=20)
    later = api_client("staff").get(f"/api/v1/loyalty/accounts/{member.ref}/").json()
    assert (later["pending"], later["available"]) == (0, 130)


def test_it_lists_accounts_newest_first_and_by_customer(member, api_client) -> None:
    client = api_client("analyst")
    every = client.get("/api/v1/loyalty/accounts/").json()["results"]
    assert len(every) == 2
    one = client.get("/api/v1/loyalty/accounts/", {"customer": member.ref}).json()["results"]
    assert [account["customer"] for account in one] == [member.ref]


def test_it_lists_the_journal(member, api_client) -> None:
    answer = api_client("staff").get("/api/v1/loyalty/transactions/", {"customer": member.ref})
    rows = answer.json()["results"]
    assert [(row["kind"], row["points"], row["order_external_id"]) for row in rows] == [
        ("earn", 30, None),
        ("earn", 100, "O-1"),
    ]
    assert rows[0]["ref"] == PointsTransaction.objects.get(points=30).ref


def test_an_unknown_account_is_not_found(programme, api_client) -> None:
    answer = api_client("staff").get("/api/v1/loyalty/accounts/nobody/")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["accounts/", "transactions/"])
def test_customers_and_strangers_are_kept_out(member, api_client, path) -> None:
    assert api_client("customer").get(f"/api/v1/loyalty/{path}").status_code == 403
    assert api_client(None).get(f"/api/v1/loyalty/{path}").status_code == 401


@pytest.mark.parametrize(("path", "status"), [("accounts/", 400), ("transactions/", 403)])
def test_nobody_writes_the_journal_by_hand(member, api_client, path, status) -> None:
    before = PointsTransaction.objects.count()
    answer = api_client("admin").post(f"/api/v1/loyalty/{path}", {"points": 5}, format="json")
    assert answer.status_code == status
    assert PointsTransaction.objects.count() == before
