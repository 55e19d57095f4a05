"""Points that customers bring from an earlier programme."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from common.models import Event
from common.time import now
from crm.imports.mapping import Mapping
from crm.imports.sources import UnreadableFile
from crm.models import Customer, ImportBatch, ImportRange
from crm.services.import_undo import CannotUndo, undo_import
from loyalty.models import Membership, PointsAccount, PointsEntry, PointsLot, PointsTransaction
from loyalty.selectors import balance_of
from loyalty.selectors.verification import verify_ledger
from loyalty.services.opening import OpeningUsed, take_back_openings, used_openings
from tests.cast import make_customer
from tests.crm.imports.conftest import counts
from tests.loyalty.ledger import spend

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
Import = Callable[..., Any]
HEAD = "customer_id,points,expires_at\n"


@pytest.fixture
def ann(db: None) -> Customer:
    return make_customer(external_id="ann", email="ann@customers.example")


def refused(outcome: Any) -> list[tuple[int, str, str]]:
    return [(one["line"], one["column"], one["reason"]) for one in outcome.rejects]


def journal() -> list[Any]:
    models = (Membership, PointsAccount, PointsTransaction, PointsLot, PointsEntry)
    return [list(model.objects.order_by("pk").values()) for model in models]


def undo(outcome: Any) -> ImportBatch:
    batch = ImportBatch.objects.get(ref=outcome.batch)
    return undo_import(batch=batch, actor="user:1", happened_at=now())


def take_back() -> int:
    ids = PointsTransaction.objects.filter(kind="opening").values_list("pk", flat=True)
    return take_back_openings(transaction_ids=list(ids), happened_at=now(), actor="user:1")


@pytest.mark.usefixtures("programme")
def test_balances_are_opened_through_the_journal_and_can_be_spent_at_once(
    imported: Import, ann: Customer
) -> None:
    make_customer(external_id="bob")
    outcome = imported(
        "points_balances", HEAD + "ann,120,\nann,30,2099-06-30\nbob,0,\nann,5,2098-12-31\n"
    )
    assert counts(outcome) == (2, 0, 0, 0)
    assert Membership.objects.count() == 2
    assert balance_of(ann.pk, now()).available == 155
    lots = PointsLot.objects.order_by("expires_at").values_list("original", "expires_at")
    # Each lapses when its last local day is over.
    assert set(lots) == {
        (120, None),
        (30, datetime(2099, 7, 1, tzinfo=UTC)),
        (5, datetime(2099, 1, 1, tzinfo=UTC)),
    }
    kinds = set(PointsTransaction.objects.values_list("kind", "reason"))
    assert kinds == {("opening", "opening")}
    assert verify_ledger().drifts == []
    assert not Event.objects.filter(kind="points.opened").exists()
    assert {one.table for one in ImportRange.objects.all()} == {"loyalty.PointsTransaction"}


@pytest.mark.usefixtures("programme")
def test_the_same_balances_again_change_nothing(imported: Import, ann: Customer) -> None:
    text = HEAD + "ann,120,\nann,30,2099-06-30\n"
    imported("points_balances", text)
    before = journal()
    assert counts(imported("points_balances", text)) == (0, 0, 1, 0)
    swapped = HEAD + "ann,30,2099-06-30\nann,120,\n"
    assert counts(imported("points_balances", swapped, mode="live")) == (0, 0, 1, 0)
    assert journal() == before


@pytest.mark.usefixtures("programme")
@pytest.mark.parametrize(
    "rows", ["ann,121,\n", "ann,120,2099-06-30\n", "ann,120,\nann,1,2099-01-01\n"]
)
def test_another_balance_of_the_same_customer_is_refused(
    imported: Import, ann: Customer, rows: str
) -> None:
    imported("points_balances", HEAD + "ann,120,\n")
    before = journal()
    outcome = imported("points_balances", HEAD + rows)
    reason = "This customer's balance was opened before, with other points."
    assert refused(outcome) == [(n + 2, "points", reason) for n in range(rows.count("\n"))]
    assert journal() == before


@pytest.mark.usefixtures("programme")
@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        ("ann,-1,", "points", "Enter a number from 0 to 1000000000000."),
        ("ann,1.5,", "points", "At most 0 decimals are allowed."),
        ("ann,1000000000001,", "points", "Enter a number from 0 to 1000000000000."),
        ("ann,many,", "points", "Enter a number."),
        ("ann,5,2020-01-01", "expires_at", "These points have lapsed already."),
        ("nobody,5,", "customer_id", "There is no customer with this id."),
    ],
)
def test_what_cannot_be_a_balance_is_refused(
    imported: Import, ann: Customer, row: str, column: str, reason: str
) -> None:
    outcome = imported("points_balances", HEAD + row + "\n")
    assert refused(outcome) == [(2, column, reason)]
    assert not Membership.objects.exists()


@pytest.mark.usefixtures("programme")
def test_a_balance_is_opened_whole_or_not_at_all(imported: Import, ann: Customer) -> None:
    outcome = imported("points_balances", HEAD + "ann,5,\nann,many,2099-01-01\n")
    assert refused(outcome) == [
        (2, "points", "Another row of this customer was refused; a balance is opened whole."),
        (3, "points", "Enter a number."),
    ]
    twice = imported("points_balances", HEAD + "ann,5,\nann,6,\n")
    reason = "Line 2 gives points of this customer until the same day."
    assert refused(twice) == [(2, "expires_at", reason), (3, "expires_at", reason)]
    assert not PointsTransaction.objects.exists()


@pytest.mark.usefixtures("programme")
def test_the_largest_balance_fits(imported: Import, ann: Customer) -> None:
    imported("points_balances", HEAD + f"ann,{10**12},\n")
    assert balance_of(ann.pk, now()).available == 10**12
    assert verify_ledger().drifts == []


def test_a_programme_that_starts_later_takes_balances_too(
    imported: Import, ann: Customer, open_with: Callable[..., Any]
) -> None:
    open_with(starts_at=now() + timedelta(days=30))
    assert counts(imported("points_balances", HEAD + "ann,7,\n")) == (1, 0, 0, 0)
    assert balance_of(ann.pk, now()).available == 7


def test_without_a_programme_the_file_is_refused(imported: Import, ann: Customer) -> None:
    with pytest.raises(UnreadableFile, match="Open the loyalty programme first"):
        imported("points_balances", HEAD + "ann,7,\n")
    assert not Membership.objects.exists()


@pytest.mark.usefixtures("programme")
def test_members_may_be_known_by_email_and_two_rows_of_one_are_one_balance(
    imported: Import, ann: Customer
) -> None:
    rows = "ann@customers.example,7,\nANN@customers.example,8,2099-01-01\n"
    outcome = imported("points_balances", HEAD + rows, mapping=Mapping(match_by="email"))
    assert counts(outcome) == (1, 0, 0, 0)
    assert balance_of(ann.pk, now()).available == 15


@pytest.mark.usefixtures("programme")
def test_taken_live_the_timeline_tells_of_it(imported: Import, ann: Customer) -> None:
    imported("points_balances", HEAD + "ann,7,\n", mode="live")
    event = Event.objects.get(kind="points.opened")
    assert (event.customer_id, event.codes) == (ann.pk, {"points": 7})


@pytest.mark.usefixtures("programme")
def test_undoing_an_import_takes_its_balances_back_but_never_used_ones(
    imported: Import, ann: Customer
) -> None:
    bob = make_customer(external_id="bob")
    unused = imported("points_balances", HEAD + "ann,7,\nann,5,2099-01-01\n")
    used = imported("points_balances", HEAD + "bob,4,\n")
    spend(bob.pk, 1, "till:1", now())
    undone = undo(unused)
    assert (undone.status, undone.checked["left"]) == ("undone", 0)
    before = journal()
    with pytest.raises(CannotUndo) as refusal:
        undo(used)
    reason = "Points transactions on which something was built since: 1."
    assert refusal.value.fields == {"import": [reason]}
    assert journal() == before
    assert (balance_of(ann.pk, now()).available, balance_of(bob.pk, now()).available) == (0, 3)
    assert verify_ledger().drifts == []
    assert counts(imported("points_balances", HEAD + "ann,9,\n")) == (1, 0, 0, 0)


@pytest.mark.usefixtures("programme")
def test_an_opened_balance_is_taken_back_by_the_ledger_and_can_be_opened_again(
    imported: Import, ann: Customer
) -> None:
    imported("points_balances", HEAD + "ann,7,\nann,5,2099-01-01\n")
    assert take_back() == 2
    assert take_back() == 0
    assert balance_of(ann.pk, now()).available == 0
    assert verify_ledger().drifts == []
    assert counts(imported("points_balances", HEAD + "ann,9,\n")) == (1, 0, 0, 0)
    assert counts(imported("points_balances", HEAD + "ann,9,\n")) == (0, 0, 1, 0)
    assert balance_of(ann.pk, now()).available == 9
    assert verify_ledger().drifts == []


@pytest.mark.usefixtures("programme")
def test_a_balance_that_was_used_is_not_taken_back(imported: Import, ann: Customer) -> None:
    make_customer(external_id="bob")
    imported("points_balances", HEAD + "ann,7,\nbob,4,\n")
    spend(ann.pk, 3, "till:1", now())
    before = journal()
    with pytest.raises(OpeningUsed):
        take_back()
    assert journal() == before
    ids = set(PointsTransaction.objects.filter(kind="opening").values_list("pk", flat=True))
    of_ann = PointsTransaction.objects.get(kind="opening", account__membership__customer=ann)
    assert used_openings(ids) == {of_ann.pk}


@pytest.mark.usefixtures("programme")
def test_a_check_says_how_many_points_a_file_brings(imported: Import, ann: Customer) -> None:
    make_customer(external_id="bob")
    imported("points_balances", HEAD + "bob,4,\n")
    outcome = imported(
        "points_balances", HEAD + "ann,7,\nann,5,2099-01-01\nbob,4,\n", is_dry_run=True
    )
    assert counts(outcome) == (1, 0, 1, 0)
    brought = {"emails": 0, "points": 12, "tasks": 0}
    assert outcome.foreseen["consequences"] == {"history": brought, "live": brought}
    assert Membership.objects.count() == 1


def test_a_check_says_what_orders_would_earn(
    imported: Import, ann: Customer, open_with: Callable[..., Any]
) -> None:
    open_with(starts_at=datetime(2025, 6, 1, tzinfo=UTC), per_amount=Decimal(2))
    text = (
        "order_id,customer_id,ordered_at,amount,status,currency\n"
        "o1,ann,2025-06-02,101.00,,\n"  # 50 points
        "o2,ann,2025-05-31,100.00,,\n"  # before the start
        "o3,ann,2025-06-02,100.00,placed,\n"
        "o4,ann,2025-06-02,100.00,cancelled,\n"
        "o5,ann,2025-06-02,100.00,,CHF\n"
    )
    found = imported("orders", text, is_dry_run=True).foreseen["consequences"]
    assert (found["history"]["points"], found["live"]["points"]) == (0, 50)
    imported("orders", text, mode="live")
    again = text.replace(",placed,", ",delivered,")
    found = imported("orders", again, is_dry_run=True).foreseen["consequences"]
    assert (found["history"]["points"], found["live"]["points"]) == (50, 50)
