"""Pages of reports, the ledger check, and the accountant's file."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from common.append_only import triggers_lifted
from loyalty.models import LedgerCheck, MonthReport, PointsAccount, ReportRequest
from loyalty.selectors.checks import count_drifts
from loyalty.services import accrue_due, change_terms, release_due
from loyalty.services.checks import check_due
from loyalty.services.liability import report_due
from loyalty.services.tiers import add_tier, grant_tier
from tests.cast import ACTOR, make_order
from tests.loyalty.spending import make_member, make_reward, redeem

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def two_months(clock, programme):
    """1,020 points were issued in March; 60 were used in April; it is 2 May."""
    change_terms(
        programme_id=programme.pk,
        valid_from=clock() + timedelta(minutes=1),
        happened_at=clock(),
        actor=ACTOR,
        point_cost=Decimal("0.01"),
    )
    member = make_member(1000, name="Anna")
    make_order(customer=member, amount=20, ordered_at=clock() - timedelta(days=30))
    accrue_due(clock())
    clock.forward(days=40)
    release_due(clock())
    redeem(member, make_reward(points=60, name="Five off"))
    clock.forward(seconds=(datetime(2026, 5, 2, 12, tzinfo=UTC) - clock()).total_seconds())
    report_due(clock())
    return member


def test_months_stand_side_by_side_with_what_members_had(two_months, client_for, ana) -> None:
    page = client_for(ana).get("/loyalty/reports/").text
    assert "Mar 2026" in page
    assert "1,020" in page
    assert "960" in page
    assert "Show as a table" in page
    assert "Count anew" not in page  # who reads figures asks for nothing


def test_a_month_says_what_happened_and_why(two_months, client_for, mara) -> None:
    client = client_for(mara)
    march = client.get("/loyalty/reports/2026-03/").text
    assert "from an earlier programme" in march
    assert "for a purchase" in march
    april = client.get("/loyalty/reports/2026-04/").text
    assert "Five off" in april
    assert client.get("/loyalty/reports/2019-01/").status_code == 404
    assert client.get("/loyalty/reports/nonsense/").status_code == 404


def test_what_happened_before_it_was_booked_is_shown_beside_the_books(
    two_months, client_for, mara, clock
) -> None:
    make_order(customer=two_months, amount=300, ordered_at=datetime(2026, 4, 20, 12, tzinfo=UTC))
    accrue_due(clock())
    clock.forward(hours=2)
    report_due(clock())
    april = client_for(mara).get("/loyalty/reports/2026-04/").text
    assert "300 issued, 60 used" in april
    kept = MonthReport.objects.get(month=date(2026, 4, 1)).figures["movements"]
    assert [one["issued"] for one in kept] == [0]


def test_what_is_owed_is_told_with_how_sure_that_is(two_months, client_for, ana) -> None:
    client = client_for(ana)
    page = client.get("/loyalty/reports/liability/").text
    assert "$9.60" in page
    assert "be told yet" in page
    march = client.get("/loyalty/reports/liability/?month=2026-03").text
    assert "$10.20" in march
    assert client.get("/loyalty/reports/liability/?month=2020-01").status_code == 404


def test_staff_see_no_figures_and_no_way_to_them(two_months, client_for, stan) -> None:
    client = client_for(stan)
    assert client.get("/loyalty/reports/").status_code == 403
    assert "/loyalty/reports/" not in client.get("/loyalty/").text


def test_moves_between_tiers_are_counted(two_months, client_for, ana, clock) -> None:
    silver = add_tier(name="Silver", threshold=Decimal(100), happened_at=clock(), actor=ACTOR)
    grant_tier(customer_id=two_months.pk, tier_id=silver.pk, happened_at=clock(), actor=ACTOR)
    client = client_for(ana)
    page = client.get("/loyalty/reports/tiers/", {"since": "2026-04-01", "until": "2026-05-03"})
    assert "Climbed: 1. Fell: 0." in page.text
    wrong = client.get("/loyalty/reports/tiers/", {"since": "2026-05-03", "until": "2026-05-03"})
    assert (wrong.status_code, "must come after" in wrong.text) == (422, True)
    assert client.get("/loyalty/reports/tiers/", {"since": "x"}).status_code == 422


def test_the_ledger_is_checked_once_a_day_and_when_somebody_asks(
    two_months, client_for, mara, clock
) -> None:
    assert [check_due(clock()), check_due(clock())] == [1, 0]
    client = client_for(mara)
    assert "The journal and every balance agree." in client.get("/loyalty/reports/ledger/").text
    for _attempt in range(2):
        assert client.post("/loyalty/reports/ledger/").url == "/loyalty/reports/ledger/"
    assert ReportRequest.objects.count() == 1
    assert "under way" in client.get("/loyalty/reports/ledger/").text
    clock.forward(minutes=1)
    assert [check_due(clock()), check_due(clock())] == [1, 0]
    assert "under way" not in client.get("/loyalty/reports/ledger/").text
    assert LedgerCheck.objects.count() == 2


def test_a_drift_is_named_and_stands_on_the_page_of_points(
    two_months, client_for, mara, clock
) -> None:
    with triggers_lifted():
        PointsAccount.objects.update(active=5)
    check_due(clock())
    assert count_drifts() == 2
    client = client_for(mara)
    assert "found 2 disagreements" in client.get("/loyalty/").text
    page = client.get("/loyalty/reports/ledger/").text
    assert "account_active" in page
    assert PointsAccount.objects.get().ref in page


def test_the_accountant_gets_balances_and_movements(two_months, client_for, ana) -> None:
    answer = client_for(ana).post("/exports/points_journal/", {"format": "csv"})
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    told = [
        (row["month"], row["opening_balance"], row["kind"], row["closing_balance"]) for row in rows
    ]
    assert told == [
        ("2026-03", "0", "earn", "1020"),
        ("2026-03", "0", "opening", "1020"),
        ("2026-04", "1020", "redeem", "960"),
    ]
    assert [row["redeemed"] for row in rows] == ["0", "0", "60"]


def test_a_manager_has_the_month_counted_anew(two_months, client_for, mara, clock) -> None:
    make_member(7)
    client_for(mara).post("/loyalty/reports/")
    report_due(clock())
    assert "7" in client_for(mara).get("/loyalty/reports/2026-05/").text
    assert not ReportRequest.objects.filter(done_at=None).exists()
