"""Memberships are frozen and thawed, closed for good, and a lost card is replaced."""

from __future__ import annotations

import pytest

from common.models import Event
from crm.models import SearchTerm
from loyalty.models import Hold, Membership, PointsTransaction, Redemption, TierAssignment
from loyalty.selectors import balance_of, verify_ledger
from loyalty.selectors.memberships import closing_of
from loyalty.services import accrue_due
from loyalty.services.memberships import (
    ClosingChanged,
    MembershipClosed,
    close_membership,
    freeze_membership,
    reissue_card,
    thaw_membership,
)
from loyalty.services.spending import MembershipNotOpen, NotAMember
from loyalty.services.tiers import grant_tier
from loyalty.services.vouchers import VoucherRefused, use_voucher
from tests.cast import ACTOR, make_customer, make_order
from tests.loyalty.spending import hold, make_member, make_reward, redeem
from tests.loyalty.test_tiers import make_tier

pytestmark = pytest.mark.django_db


@pytest.fixture
def kate(programme, clock):
    return make_member(100, name="Kate")


def do(service, customer, clock, **fields):
    return service(customer_id=customer.pk, happened_at=clock(), actor=ACTOR, **fields)


def kinds():
    events = Event.objects.filter(kind__startswith="member.").order_by("pk")
    return list(events.values_list("kind", flat=True))


def test_a_frozen_member_neither_earns_nor_spends_until_thawed(kate, clock) -> None:
    for _ in range(2):
        do(freeze_membership, kate, clock)
    with pytest.raises(MembershipNotOpen):
        hold(kate, 1)
    make_order(customer=kate, amount=10, ordered_at=clock())
    accrue_due(clock())
    assert balance_of(kate.pk, clock()).outstanding == 100
    for _ in range(2):
        assert do(thaw_membership, kate, clock).status == "open"
    hold(kate, 1)
    assert kinds()[-2:] == ["member.frozen", "member.thawed"]


def test_closing_takes_all_points_back_lets_holds_go_and_ends_vouchers_and_tier(
    kate, clock
) -> None:
    tier = make_tier("Silver", 100)
    grant_tier(customer_id=kate.pk, tier_id=tier.pk, happened_at=clock(), actor=ACTOR)
    voucher = redeem(kate, make_reward(points=20))
    hold(kate, 30)
    make_order(customer=kate, amount=5, ordered_at=clock())
    accrue_due(clock())
    shown = closing_of(kate.pk, clock())
    assert (shown.points, shown.holds, shown.vouchers, shown.debt) == (85, 1, 1, 0)
    closed = do(close_membership, kate, clock, points=85)
    assert closed.status == "closed"
    balance = balance_of(kate.pk, clock())
    assert (balance.pending, balance.active, balance.held, balance.debt) == (0, 0, 0, 0)
    assert Hold.objects.get().status == "voided"
    assert Redemption.objects.get().status == "lapsed"
    with pytest.raises(VoucherRefused):
        use_voucher(code=voucher.code, happened_at=clock(), actor=ACTOR)
    assert TierAssignment.objects.get().until == clock()
    written = PointsTransaction.objects.get(reason="closed")
    assert (written.kind, written.points) == ("reversal", -85)
    assert do(close_membership, kate, clock, points=1).status == "closed"
    assert PointsTransaction.objects.filter(reason="closed").count() == 1
    assert verify_ledger().drifts == []


def test_closing_is_refused_if_other_points_were_shown(kate, clock) -> None:
    hold(kate, 30)
    with pytest.raises(ClosingChanged) as refusal:
        do(close_membership, kate, clock, points=99)
    assert refusal.value.context == {"points": 100}
    assert Membership.objects.get().status == "open"
    assert balance_of(kate.pk, clock()).held == 30


def test_a_closed_membership_is_never_opened_again(kate, clock) -> None:
    do(close_membership, kate, clock, points=100)
    for service in (freeze_membership, thaw_membership):
        with pytest.raises(MembershipClosed):
            do(service, kate, clock)
    card = Membership.objects.get().card_number
    with pytest.raises(MembershipClosed):
        do(reissue_card, kate, clock, old_number=card)
    make_order(customer=kate, amount=10, ordered_at=clock())
    accrue_due(clock())
    assert balance_of(kate.pk, clock()).outstanding == 0


def test_a_new_card_replaces_the_old_one_once(kate, clock) -> None:
    old = Membership.objects.get().card_number
    for _ in range(2):
        new = do(reissue_card, kate, clock, old_number=old).card_number
    assert new != old
    assert Membership.objects.get().card_number == new
    assert list(SearchTerm.objects.filter(kind="card").values_list("term", flat=True)) == [new]
    assert kinds()[-1] == "member.card_reissued"


def test_nothing_is_done_for_those_who_take_no_part(programme, clock) -> None:
    stranger = make_customer()
    assert closing_of(stranger.pk, clock()) is None
    for service, fields in (
        (freeze_membership, {}),
        (thaw_membership, {}),
        (close_membership, {"points": 0}),
        (reissue_card, {"old_number": "2"}),
    ):
        with pytest.raises(NotAMember):
            do(service, stranger, clock, **fields)
    assert not Membership.objects.exists()
