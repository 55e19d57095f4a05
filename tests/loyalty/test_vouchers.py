"""Vouchers: codes nobody guesses, used once, refused with the reason."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from common.models import Event
from common.refs import ALPHABET
from loyalty.models import Membership, Redemption
from loyalty.selectors import balance_of
from loyalty.selectors.vouchers import LETTERS, check_letter, clean_code, find_voucher, show_code
from loyalty.services import vouchers
from loyalty.services.redemption_reversal import reverse_redemption
from loyalty.services.vouchers import (
    VoucherRefused,
    VoucherUnknown,
    lapse_due,
    new_code,
    use_voucher,
)
from tests.cast import ACTOR, make_order
from tests.loyalty.spending import make_member, make_reward, redeem


def use(code: str, clock, **fields) -> Redemption:
    return use_voucher(code=code, happened_at=clock(), actor=ACTOR, **fields)


def refusal_of(redemption, clock, **fields) -> VoucherRefused:
    before = Redemption.objects.filter(pk=redemption.pk).values().get()
    with pytest.raises(VoucherRefused) as caught:
        use(redemption.code, clock, **fields)
    assert Redemption.objects.filter(pk=redemption.pk).values().get() == before
    return caught.value


codes = st.builds(new_code)


def test_a_code_has_sixteen_letters_that_look_alike_to_nobody() -> None:
    drawn = {new_code() for _ in range(500)}
    assert len(drawn) == 500
    assert {len(code) for code in drawn} == {16}
    assert set().union(*drawn) == set(LETTERS) == set(ALPHABET.upper())
    assert not set("0O1IL") & set(LETTERS)


@given(codes, st.integers(0, 15), st.sampled_from(LETTERS))
def test_one_wrong_letter_is_noticed(code: str, place: int, letter: str) -> None:
    typed = code[:place] + letter + code[place + 1 :]
    if typed == code:
        assert clean_code(typed) == code
    else:
        with pytest.raises(ValidationError):
            clean_code(typed)


@given(codes, st.integers(0, 14))
def test_two_letters_swapped_are_noticed(code: str, place: int) -> None:
    typed = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    if typed != code:
        with pytest.raises(ValidationError):
            clean_code(typed)


def test_a_code_is_understood_however_it_is_typed() -> None:
    code = "ABCDEFGHJKMNPQR"
    code += check_letter(code)
    shown = show_code(code)
    assert shown == f"ABCD-EFGH-JKMN-PQR{code[-1]}"
    assert clean_code(f"  {shown.lower().replace('-', ' ')} ") == code
    for nonsense in ("", code[:-1], code + code[-1], "0" * 16, "Ω" * 16, "\x00" * 16, None, 7):
        with pytest.raises(ValidationError):
            clean_code(nonsense)


@pytest.mark.django_db
def test_a_voucher_is_used_once(programme, clock) -> None:
    redemption = redeem(make_member(100), make_reward())
    assert find_voucher(redemption.code, clock()).is_good
    clock.forward(hours=1)
    used = use(show_code(redemption.code).lower(), clock)
    assert used == redemption
    assert (used.status, used.used_at, used.value) == ("used", clock(), Decimal(5))
    first_use = clock()
    clock.forward(hours=1)
    refusal = refusal_of(redemption, clock)
    assert refusal.code == "voucher_used"
    assert refusal.context["used_at"] == first_use.isoformat()
    assert str(refusal) == "This voucher was used on 2 Mar, 13:00."
    event = Event.objects.get(kind="voucher.used")
    assert (event.subject_ref, event.customer_id) == (
        redemption.ref,
        redemption.account.membership.customer_id,
    )


@pytest.mark.django_db
def test_the_same_purchase_may_ask_again_and_another_may_not(programme, clock) -> None:
    order, other = make_order(ordered_at=clock()), make_order(ordered_at=clock())
    redemption = redeem(make_member(100), make_reward())
    for _twice in range(2):
        assert use(redemption.code, clock, order_id=order.pk).order_id == order.pk
    assert refusal_of(redemption, clock, order_id=other.pk).code == "voucher_used"
    assert Event.objects.filter(kind="voucher.used").count() == 1
    reverse_redemption(redemption_id=redemption.pk, happened_at=clock(), actor=ACTOR)
    assert refusal_of(redemption, clock, order_id=order.pk).code == "voucher_reversed"


@pytest.mark.django_db
def test_a_code_that_nobody_has_is_unknown(programme, clock) -> None:
    redemption = redeem(make_member(100), make_reward())
    for code in (new_code(), redemption.code[:-1], "", "?"):
        with pytest.raises(VoucherUnknown):
            use(code, clock)
    redemption.refresh_from_db()
    assert redemption.status == "issued"


@pytest.mark.django_db
def test_a_lapsed_voucher_is_refused_whether_or_not_the_sweep_was_there(
    programme, clock, monkeypatch
) -> None:
    monkeypatch.setattr(vouchers, "BATCH", 1)
    member = make_member(250)
    late, swept = (redeem(member, make_reward(voucher_days=1)) for _ in range(2))
    clock.forward(days=1, hours=12)  # the last day's midnight
    assert refusal_of(late, clock).code == "voucher_lapsed"
    assert lapse_due(clock() - timedelta(microseconds=1)) == 0
    assert lapse_due(clock()) == 2
    assert lapse_due(clock()) == 0
    swept.refresh_from_db()
    assert swept.status == "lapsed"
    refusal = refusal_of(swept, clock)
    assert (refusal.code, str(refusal)) == (
        "voucher_lapsed",
        "This voucher was good until 4 Mar, 00:00.",
    )
    assert Event.objects.filter(kind="voucher.lapsed").count() == 2
    assert balance_of(member.pk, clock()).available == 50  # the points stay used


@pytest.mark.django_db
def test_a_voucher_that_was_taken_back_is_refused(programme, clock) -> None:
    redemption = redeem(make_member(100), make_reward())
    reverse_redemption(redemption_id=redemption.pk, happened_at=clock(), actor=ACTOR)
    redemption.refresh_from_db()
    assert refusal_of(redemption, clock).code == "voucher_reversed"
    assert lapse_due(clock() + timedelta(days=90)) == 0


@pytest.mark.django_db
def test_a_purchase_that_is_too_small_is_refused(programme, clock) -> None:
    redemption = redeem(make_member(100), make_reward(minimum_amount=Decimal(20)))
    for amount in (None, Decimal("19.99")):
        refusal = refusal_of(redemption, clock, amount=amount)
        assert refusal.code == "voucher_needs_more"
        assert str(refusal) == "This voucher is for a purchase of at least $20.00."
    assert not find_voucher(redemption.code, clock(), amount=Decimal("19.99")).is_good
    assert find_voucher(redemption.code, clock(), amount=Decimal(20)).is_good
    assert use(redemption.code, clock, amount=Decimal(20)).status == "used"


@pytest.mark.django_db
def test_a_frozen_members_voucher_waits_until_the_membership_is_open_again(
    programme, clock
) -> None:
    member = make_member(100)
    redemption = redeem(member, make_reward())
    Membership.objects.filter(customer=member).update(status="frozen")
    assert refusal_of(redemption, clock).code == "voucher_not_open"
    Membership.objects.filter(customer=member).update(status="open")
    assert use(redemption.code, clock).status == "used"


@pytest.mark.django_db
def test_every_reason_is_told_in_words(programme, clock) -> None:
    redemption = redeem(make_member(100), make_reward(minimum_amount=Decimal(20)))
    voucher = find_voucher(redemption.code, clock(), amount=Decimal(5))
    assert voucher.why == "This voucher is for a purchase of at least $20.00."
    assert find_voucher(new_code(), clock()).why == "There is no such voucher."
    assert find_voucher(redemption.code, clock()).why == ""
    Redemption.objects.update(status="reversed")
    assert find_voucher(redemption.code, clock()).why == "This voucher was taken back."
