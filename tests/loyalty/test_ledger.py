"""The journal itself: balanced, keyed, append-only."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from loyalty.models import PointsAccount, PointsEntry, PointsLot, PointsTransaction, RuleVersion
from loyalty.models.members import check_digit, is_card_number
from loyalty.services import SourceKeyReused, accrue_due, new_card_number
from loyalty.services.ledger import Draft, find_recorded, lock_accounts, write_drafts
from tests.cast import make_customer, make_order

pytestmark = pytest.mark.django_db


@pytest.fixture
def earned(programme, clock) -> PointsTransaction:
    make_order(customer=make_customer(), amount=100, ordered_at=clock())
    accrue_due(clock())
    return PointsTransaction.objects.get()


@pytest.mark.parametrize("model", [PointsTransaction, PointsEntry, RuleVersion])
@pytest.mark.parametrize("action", ["update", "delete"])
def test_the_journal_refuses_to_be_changed(earned, model, action) -> None:
    before = list(model.objects.order_by("pk").values())
    rows = model.objects.all()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        rows.update(id=99) if action == "update" else rows._raw_delete(rows.db)
    assert list(model.objects.order_by("pk").values()) == before


def test_an_unbalanced_draft_is_refused(earned, clock) -> None:
    accounts = lock_accounts([earned.account_id])
    draft = Draft(accounts[earned.account_id], "earn", "purchase", 5, "k", "", "system", clock())
    draft.entries.append(("issued", -5, None))
    with pytest.raises(ValueError, match="unbalanced"):
        write_drafts([draft], recorded_at=clock())
    assert PointsTransaction.objects.count() == 1


@pytest.mark.parametrize(
    "changes",
    [{"pending": -1}, {"active": -1}, {"debt": -1}, {"held": 1}, {"held": -1}],
)
def test_the_database_refuses_impossible_balances(earned, changes) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        PointsAccount.objects.update(**changes)


@pytest.mark.parametrize(
    "changes",
    [{"remaining": -1}, {"remaining": 101}, {"bucket": "debt"}, {"held": -1}, {"held": 101}],
)
def test_the_database_refuses_impossible_lots(earned, changes) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        PointsLot.objects.update(**changes)


def test_a_key_used_for_something_else_is_refused(earned) -> None:
    assert find_recorded(earned.source_key, earned.request_hash) == earned
    with pytest.raises(SourceKeyReused):
        find_recorded(earned.source_key, "another")


def test_card_numbers_are_ean_13() -> None:
    assert check_digit("400638133393") == "1"  # a published example
    card = new_card_number()
    assert is_card_number(card)
    assert not is_card_number(card[:-1] + str((int(card[-1]) + 1) % 10))


@pytest.mark.parametrize("place", range(2, 12))
def test_a_card_number_with_one_wrong_digit_is_recognised(place) -> None:
    card = new_card_number()
    wrong = card[:place] + str((int(card[place]) + 3) % 10) + card[place + 1 :]
    assert not is_card_number(wrong)
