"""Pages of one membership: a tier given by hand, and friends."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from crm.models import Customer, Note
from loyalty.models import Membership, Referral, Tier, TierAssignment
from loyalty.services.memberships import freeze_membership
from loyalty.services.referrals import refer_friend
from loyalty.services.tiers import add_tier
from tests.budget import assert_query_budget
from tests.cast import ACTOR, make_customer
from tests.loyalty.spending import make_member

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def member(programme: Any) -> Customer:
    return make_member(50, name="Anna Berg")


@pytest.fixture
def gold(programme: Any, clock: Any) -> Tier:
    at = {"happened_at": clock(), "actor": ACTOR}
    return add_tier(name="Gold", threshold=Decimal(100), multiplier=Decimal(2), **at)


def granted() -> list[tuple[str, str]]:
    rows = TierAssignment.objects.filter(reason="granted").order_by("pk")
    return list(rows.values_list("tier__name", "reason"))


def test_a_manager_gives_a_tier_with_a_reason_and_ends_it(
    member, gold, mara, client_for, clock
) -> None:
    browser, url = client_for(mara), f"/loyalty/members/{member.ref}/grant/"
    assert url in browser.get(f"/loyalty/members/{member.ref}/").text
    last_day = (clock() + timedelta(days=30)).date().isoformat()
    given = {"tier": gold.ref, "last_day": last_day, "reason": "Helped us at the fair"}
    assert browser.post(url, given).status_code == 302
    assert browser.post(url, given).status_code == 302  # a second click
    assert granted() == [("Gold", "granted")]
    note = Note.objects.get()
    assert (note.customer, note.text, note.author) == (member, "Helped us at the fair", mara)
    assert browser.post(url, {"reason": "By mistake"}).status_code == 302
    assert TierAssignment.objects.latest("pk").reason != "granted"
    assert Note.objects.latest("pk").text == "By mistake"


def test_without_a_reason_or_for_a_day_that_is_over_no_tier_is_given(
    member, gold, mara, client_for
) -> None:
    browser, url = client_for(mara), f"/loyalty/members/{member.ref}/grant/"
    for wrong, field in (
        ({"tier": gold.ref}, "reason"),
        ({"tier": gold.ref, "reason": "Why", "last_day": "2020-01-01"}, "last_day"),
        ({"tier": "none", "reason": "Why"}, "tier"),
        ({"tier": gold.ref, "reason": "x" * 1001}, "reason"),
    ):
        answer = browser.post(url, wrong)
        assert (answer.status_code, list(answer.context["form"].errors)) == (422, [field])
    assert granted() == []
    assert not Note.objects.exists()


def test_a_frozen_member_is_given_no_tier(member, gold, mara, client_for, clock) -> None:
    freeze_membership(customer_id=member.pk, happened_at=clock(), actor=ACTOR)
    url = f"/loyalty/members/{member.ref}/grant/"
    assert url not in client_for(mara).get(f"/loyalty/members/{member.ref}/").text
    answer = client_for(mara).post(url, {"tier": gold.ref, "reason": "Why"})
    assert answer.status_code == 422
    assert granted() == []
    assert not Note.objects.exists()


def test_colleagues_see_whom_a_member_brought_and_make_the_code(
    member, stan, client_for, clock
) -> None:
    browser, page = client_for(stan), f"/loyalty/members/{member.ref}/?show=friends"
    assert Membership.objects.get().referral_code in browser.get(page).text
    Membership.objects.update(referral_code=None)  # as of those who joined before there were codes
    assert "Make a code for friends" in browser.get(page).text
    for _again in range(2):
        made = browser.post(f"/loyalty/members/{member.ref}/code/")
        assert (made.status_code, made["Location"]) == (302, page)
    code = Membership.objects.get().referral_code
    friend = make_customer(name="Omar Haddad")
    refer_friend(code=code, friend_id=friend.pk, happened_at=clock(), actor=ACTOR)
    text = browser.get(page).text
    assert code in text
    assert "Omar Haddad" in text
    assert "no purchase yet" in text
    assert "Anna Berg" in browser.get(f"/loyalty/members/{friend.ref}/?show=friends").text
    for number in range(8):
        newer = make_customer(name=f"Friend {number}")
        refer_friend(code=code, friend_id=newer.pk, happened_at=clock(), actor=ACTOR)
    assert Referral.objects.count() == 9
    assert_query_budget(browser, page)
