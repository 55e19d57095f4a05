"""The journal itself: balanced, keyed, append-only."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from common.models import Event
from loyalty.models import (
    EarnedLine,
    PointsAccount,
    PointsEntry,
    PointsLot,
    PointsTransaction,
    RuleVersion,
)
from loyalty.models.members import check_digit, is_card_number
from loyalty.services import SourceKeyReused, accrue_due, new_card_number
from loyalty.services.ledger import (
    Draft,
    EarnedPoints,
    find_recorded,
    hash_request,
    lock_accounts,
    write_drafts,
)
from tests.cast import ACTOR, make_customer, make_order
from tests.loyalty.spending import account_of, make_member

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
    with pytest.raises(ValueError, match=r"^unbalanced: k$"):
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


def test_a_request_is_what_was_asked_in_whatever_order() -> None:
    # Never to change: what was asked before an update is asked again after it.
    digest = hashlib.sha256(b'{"customer": 7, "points": 5}').hexdigest()
    assert hash_request(points=5, customer=7) == hash_request(customer=7, points=5) == digest
    assert hash_request(customer=7, points=6) != digest


def test_a_draft_is_written_to_its_last_column(programme, clock) -> None:
    kate, card = make_member(5), make_customer()
    order = make_order(customer=kate, amount=100, ordered_at=clock())
    PointsAccount.objects.update(debt=8)
    (opening,), (version,) = PointsTransaction.objects.all(), RuleVersion.objects.all()
    happened, day = clock() - timedelta(hours=1), timedelta(days=1)
    account = lock_accounts([opening.account_id])[opening.account_id]

    def draft(key: str, points: int, **fields) -> Draft:
        terms = {"order_id": order.pk, "rule_version_id": version.pk, "reverses_id": opening.pk}
        return Draft(
            account, "earn", "purchase", points, key, f"#{key}", ACTOR, happened, **terms | fields
        )

    first = draft("first", 20, event="points.tried", customer_id=card.pk, codes={"tier": "gold"})
    first.credit(
        20,
        bucket="pending",
        available_from=clock() + day,
        expires_at=clock() + 2 * day,
        lapses_at=clock() + 3 * day,
    )
    earned = EarnedPoints(version.pk, "order:1", "3:1", Decimal("19.9995"), 20, None, "birthday:7")
    first.lines.append(earned)
    second = draft("second", 1, event="points.tried")
    second.credit(1, bucket="active", available_from=clock(), expires_at=None)
    silent = draft("silent", 0, order_id=None, rule_version_id=None, reverses_id=None)
    ids = write_drafts([first, second, silent], recorded_at=clock())

    written = list(PointsTransaction.objects.exclude(pk=opening.pk).order_by("pk"))
    assert [one.pk for one in written] == ids
    assert len({one.ref for one in written}) == 3
    for one, (key, points, order_id, version_id, reverses_id) in zip(
        written,
        [
            ("first", 20, order.pk, version.pk, opening.pk),
            ("second", 1, order.pk, version.pk, opening.pk),
            ("silent", 0, None, None, None),
        ],
        strict=True,
    ):
        assert (one.kind, one.reason, one.points) == ("earn", "purchase", points)
        assert (one.source_key, one.request_hash) == (key, f"#{key}")
        assert (one.account_id, one.order_id) == (account.id, order_id)
        assert (one.rule_version_id, one.reverses_id) == (version_id, reverses_id)
        assert (one.actor, one.effective_at, one.recorded_at) == (ACTOR, happened, clock())

    lots = PointsLot.objects.filter(transaction__in=ids).order_by("pk")
    columns = ("transaction", "account", "original", "remaining", "held", "bucket")
    assert list(lots.values_list(*columns)) == [
        (ids[0], account.id, 20, 12, 0, "pending"),
        (ids[1], account.id, 1, 1, 0, "active"),
    ]
    assert list(lots.values_list("available_from", "expires_at", "lapses")) == [
        (clock() + day, clock() + 2 * day, True),
        (clock(), None, False),
    ]
    entries = PointsEntry.objects.filter(transaction__in=ids).order_by("pk")
    new, other = (lot.pk for lot in lots)
    assert list(entries.values_list("transaction", "account", "lot", "bucket", "amount")) == [
        (ids[0], account.id, new, "pending", 20),
        (ids[0], None, None, "issued", -20),
        (ids[0], account.id, new, "pending", -8),
        (ids[0], account.id, None, "debt", 8),
        (ids[1], account.id, other, "active", 1),
        (ids[1], None, None, "issued", -1),
    ]
    (line,) = EarnedLine.objects.all()
    assert (line.transaction_id, line.rule_version_id) == (ids[0], version.pk)
    assert (line.source, line.line, line.points) == ("order:1", "3:1", 20)
    assert (line.base, line.settles_id, line.once) == (Decimal("19.9995"), None, "birthday:7")
    told = Event.objects.filter(kind="points.tried").order_by("pk")
    columns = ("customer_id", "subject_kind", "subject_ref", "actor", "codes")
    assert list(told.values_list(*columns)) == [
        (card.pk, "points", written[0].ref, ACTOR, {"points": 20, "tier": "gold"}),
        (kate.pk, "points", written[1].ref, ACTOR, {"points": 1}),
    ]
    assert set(told.values_list("occurred_at", "recorded_at")) == {(happened, clock())}
    stored = account_of(kate)
    assert (stored.pending, stored.active, stored.held, stored.debt) == (12, 6, 0, 0)
    assert (stored.lapses_at, account.is_extended) == (clock() + 3 * day, False)

    settled = draft("settled", 0)
    settled.lines.append(EarnedPoints(version.pk, "order:1", "3:1", None, -3, line.pk))
    write_drafts([settled], recorded_at=clock())
    (row,) = line.settlements.all()
    assert (row.base, row.points, row.settles_id, row.once) == (None, -3, line.pk, None)


def test_an_account_is_written_with_the_first_draft_after_something_happened(
    programme, clock
) -> None:
    kate = make_member(5)
    account = lock_accounts([account_of(kate).pk])[account_of(kate).pk]
    account.extend(clock())
    assert write_drafts([], recorded_at=clock()) == []
    assert (account_of(kate).lapses_at, account.is_extended) == (None, True)
    nothing = Draft(account, "redeem", "purchase", 0, "nothing", "", ACTOR, clock())
    write_drafts([nothing], recorded_at=clock())
    assert (account_of(kate).lapses_at, account.is_extended) == (clock(), False)


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
