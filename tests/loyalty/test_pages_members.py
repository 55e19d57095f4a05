"""Managers' pages of rewards, vouchers, members and adjustments."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from loyalty.models import Adjustment, Membership, Redemption, Reward, Tier
from loyalty.services import accrue_due
from loyalty.services.tier_sweeps import measure_everybody
from loyalty.services.tiers import add_tier
from tests.budget import assert_query_budget
from tests.cast import ACTOR, make_order, make_product
from tests.loyalty.spending import account_of, hold, make_member, make_reward, redeem

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
DISCOUNT = {"kind": "discount", "name": "Five off", "points": "100", "value": "5"}
DISCOUNT |= {"voucher_days": "30"}


def test_a_reward_is_added_changed_and_stopped(programme, mara, client_for, clock) -> None:
    browser = client_for(mara)
    assert browser.post("/loyalty/rewards/new/", DISCOUNT).status_code == 302
    reward = Reward.objects.get()
    assert (reward.points, reward.value, reward.starts_at) == (100, Decimal(5), clock())
    browser.post(f"/loyalty/rewards/{reward.ref}/", DISCOUNT | {"points": "120", "stock": "3"})
    reward.refresh_from_db()
    assert (reward.points, reward.stock) == (120, 3)
    assert "Stop reward" in browser.get(f"/loyalty/rewards/{reward.ref}/stop/").text
    browser.post(f"/loyalty/rewards/{reward.ref}/stop/")
    reward.refresh_from_db()
    assert not reward.is_active


def test_a_gift_is_found_by_its_sku_or_refused_at_the_field(programme, mara, client_for) -> None:
    cup = make_product(sku="CUP", name="Cup")
    gift = {"kind": "gift", "name": "A cup", "points": "300", "voucher_days": "30"}
    answer = client_for(mara).post("/loyalty/rewards/new/", gift | {"product_id": "none"})
    assert answer.status_code == 422
    assert "product_id" in answer.context["form"].errors
    client_for(mara).post("/loyalty/rewards/new/", gift | {"product_id": "CUP"})
    assert Reward.objects.get().product == cup


def test_a_part_payment_has_no_voucher(programme, mara, client_for) -> None:
    fields = client_for(mara).get("/loyalty/rewards/new/?kind=payment").context["form"].fields
    assert "voucher_days" not in fields
    assert "maximum_percent" in fields


def test_a_voucher_is_looked_at_and_used_once(programme, stan, client_for) -> None:
    code = redeem(make_member(500), make_reward()).code
    browser = client_for(stan)
    looked = browser.post("/loyalty/vouchers/", {"code": code.lower(), "do": "look"})
    assert looked.context["voucher"].is_good
    assert Redemption.objects.get().status == "issued"
    assert browser.post("/loyalty/vouchers/", {"code": code, "do": "use"}).status_code == 302
    again = browser.post("/loyalty/vouchers/", {"code": code, "do": "use"})
    assert again.status_code == 422
    assert Redemption.objects.get().status == "used"


def test_a_mistyped_code_is_refused_at_its_field(programme, stan, client_for) -> None:
    answer = client_for(stan).post("/loyalty/vouchers/", {"code": "ABCD"})
    assert answer.status_code == 422
    assert "code" in answer.context["form"].errors


def test_an_exchange_is_taken_back_after_asking(programme, mara, stan, client_for) -> None:
    member = make_member(500)
    found = redeem(member, make_reward())
    url = f"/loyalty/redemptions/{found.ref}/reverse/"
    assert client_for(stan).post(url).status_code == 403
    client_for(mara).get(url)
    assert account_of(member).active == 400
    client_for(mara).post(url)
    assert account_of(member).active == 500


def test_members_are_found_by_name_and_shown_with_what_they_have(
    programme, stan, client_for
) -> None:
    anna = make_member(300, name="Anna Berg")
    make_member(200, name="Omar Haddad")
    rows = client_for(stan).get("/loyalty/members/?q=anna").context["rows"]
    found = [(row["account"].membership.customer, row["balance"].available) for row in rows]
    assert found == [(anna, 300)]
    assert client_for(stan).get("/loyalty/members/?status=frozen").context["rows"] == []


def test_analysts_do_not_find_members_by_email(programme, ana, client_for) -> None:
    make_member(300, email="anna@berg.example")
    found = client_for(ana).get("/loyalty/members/?q=anna@berg.example")
    assert found.context["rows"] == []


def test_the_page_of_a_member_shows_balance_lots_and_journal(programme, stan, client_for) -> None:
    member = make_member(500)
    redeem(member, make_reward())
    hold(member, 60)
    browser = client_for(stan)
    page = browser.get(f"/loyalty/members/{member.ref}/")
    assert (page.context["balance"].available, page.context["balance"].held) == (340, 60)
    assert [(one["lot"].remaining, one["state"]) for one in page.context["lots"]] == [
        (400, "usable")
    ]
    assert [one.points for one in page.context["transactions"]] == [-100, 500]
    spent = browser.get(f"/loyalty/members/{member.ref}/?show=spent").context
    assert ([row["one"].points for row in spent["redemptions"]], len(spent["holds"])) == ([100], 1)


def test_who_is_no_member_has_no_page_of_points(programme, stan, client_for) -> None:
    order = make_order()
    assert client_for(stan).get(f"/loyalty/members/{order.ref}/").status_code == 404


def test_a_membership_is_frozen_opened_and_closed_after_asking(programme, mara, client_for) -> None:
    member = make_member(500)
    url = f"/loyalty/members/{member.ref}"
    browser = client_for(mara)

    def status() -> str:
        return Membership.objects.get(customer=member).status

    browser.get(f"{url}/freeze/")
    assert status() == "open"
    browser.post(f"{url}/freeze/")
    assert status() == "frozen"
    browser.post(f"{url}/freeze/")
    assert status() == "open"
    browser.post(f"{url}/close/", {"points": "499"})  # not what it was when asked
    assert (status(), account_of(member).active) == ("open", 500)
    browser.post(f"{url}/close/", {"points": "500"})
    assert (status(), account_of(member).active) == ("closed", 0)


def test_a_lost_card_is_replaced_once(programme, mara, client_for) -> None:
    member = make_member(500)
    old = Membership.objects.get().card_number
    for _click in range(2):
        client_for(mara).post(f"/loyalty/members/{member.ref}/card/", {"old_number": old})
    numbers = Membership.objects.values_list("card_number", flat=True)
    assert list(numbers) != [old]
    assert Membership.objects.count() == 1


def test_points_are_asked_for_once_and_approved_by_somebody_else(
    programme, stan, mara, alice, client_for
) -> None:
    member = make_member(500)
    form = {"token": "abcdef", "direction": "give", "points": "100", "reason": "goodwill"}
    for _click in range(2):
        answer = client_for(stan).post(f"/loyalty/members/{member.ref}/adjust/", form)
        assert answer.status_code == 302
    waiting = Adjustment.objects.get()
    assert (waiting.points, waiting.status, account_of(member).active) == (100, "requested", 500)
    url = f"/loyalty/adjustments/{waiting.ref}/decide/"
    client_for(stan).post(url, {"do": "approve"})
    assert account_of(member).active == 500
    client_for(mara).post(url, {"do": "approve", "note": "Fair."})
    assert account_of(member).active == 600
    shown = client_for(mara).get(f"/loyalty/members/{member.ref}/?show=adjustments")
    assert "Fair." in shown.text


def test_a_request_above_the_limit_is_refused_and_changes_nothing(
    programme, stan, mara, client_for
) -> None:
    member = make_member(500)
    form = {"token": "abcdef", "direction": "take", "points": "501", "reason": "misuse"}
    answer = client_for(stan).post(f"/loyalty/members/{member.ref}/adjust/", form)
    assert answer.status_code == 422
    assert not Adjustment.objects.exists()


def test_a_request_is_refused_or_withdrawn(programme, stan, mara, alice, client_for) -> None:
    member = make_member(500)
    for token in ("first", "second"):
        form = {"token": token, "direction": "take", "points": "50", "reason": "correction"}
        client_for(stan).post(f"/loyalty/members/{member.ref}/adjust/", form)
    first, second = Adjustment.objects.order_by("pk")
    client_for(mara).post(f"/loyalty/adjustments/{first.ref}/decide/", {"do": "refuse"})
    client_for(stan).post(f"/loyalty/adjustments/{second.ref}/decide/", {"do": "withdraw"})
    assert {one.status for one in Adjustment.objects.all()} == {"refused"}
    assert account_of(member).active == 500
    assert client_for(mara).get("/loyalty/adjustments/").context["rows"] == []
    mine = client_for(stan).get("/loyalty/adjustments/?show=mine").context["rows"]
    assert len(mine) == 2


def test_what_a_sole_manager_booked_alone_is_reviewed(programme, mara, client_for) -> None:
    member = make_member(500)
    form = {"token": "abcdef", "direction": "give", "points": "100", "reason": "goodwill"}
    browser = client_for(mara)
    browser.post(f"/loyalty/members/{member.ref}/adjust/", form)
    assert account_of(member).active == 600
    [row] = browser.get("/loyalty/adjustments/?show=review").context["rows"]
    browser.post(f"/loyalty/adjustments/{row['adjustment'].ref}/reviewed/")
    assert browser.get("/loyalty/adjustments/?show=review").context["rows"] == []


def test_analysts_read_no_notes(programme, stan, ana, client_for) -> None:
    member = make_member(500)
    form = {"token": "abcdef", "direction": "give", "points": "10", "reason": "goodwill"}
    client_for(stan).post(f"/loyalty/members/{member.ref}/adjust/", form | {"note": "Secret"})
    page = client_for(ana).get("/loyalty/adjustments/")
    assert len(page.context["rows"]) == 1
    assert "Secret" not in page.text


def test_what_looks_odd_is_for_managers(programme, stan, mara, client_for) -> None:
    assert client_for(stan).get("/loyalty/anomalies/").status_code == 403
    assert "Nothing looks odd" in client_for(mara).get("/loyalty/anomalies/").text


def test_tiers_are_added_changed_and_removed(programme, mara, client_for) -> None:
    browser = client_for(mara)
    browser.post("/loyalty/tiers/new/", {"name": "Silver", "threshold": "500", "multiplier": "1"})
    silver = Tier.objects.get()
    changed = {"name": "Silver", "threshold": "600", "multiplier": "1.5", "benefits": "Cake"}
    browser.post(f"/loyalty/tiers/{silver.ref}/", changed)
    silver.refresh_from_db()
    assert (silver.threshold, silver.multiplier, silver.benefits) == (600, Decimal("1.5"), "Cake")
    wrong = browser.post("/loyalty/tiers/new/", changed | {"name": "Gold"})
    assert wrong.status_code == 422
    assert "threshold" in wrong.context["form"].errors
    browser.post(f"/loyalty/tiers/{silver.ref}/remove/")
    assert not Tier.objects.exists()


def test_a_customer_sees_tier_best_reward_and_code(programme, kim, client_for, clock) -> None:
    make_order(customer=kim.customer, amount=300, ordered_at=clock() - timedelta(days=30))
    accrue_due(clock())
    add_tier(name="Silver", threshold=Decimal(500), happened_at=clock(), actor=ACTOR)
    make_reward(points=100)
    make_reward(points=1000)
    browser = client_for(kim)
    assert "200 points more to reach Silver." in browser.get("/me/tier/").text
    told = browser.get("/me/rewards/").context
    assert told["best"]["offer"].reward.points == 100
    assert told["next"]["offer"].missing == 700
    public = client_for(None).get("/programme/")
    assert len(public.context["rewards"]) == 2


def test_a_member_with_a_history_keeps_the_query_budget(
    programme, mara, stan, client_for, kim, clock
) -> None:
    make_order(customer=kim.customer, amount=900, ordered_at=clock() - timedelta(days=30))
    accrue_due(clock())
    add_tier(name="Silver", threshold=Decimal(500), happened_at=clock(), actor=ACTOR)
    measure_everybody(clock())
    reward = make_reward()
    for _one in range(3):
        redeem(kim.customer, reward)
    hold(kim.customer, 60)
    browser = client_for(mara)
    for path in ("", "?show=spent", "?show=adjustments", "?show=tiers", "tier/", "close/"):
        assert_query_budget(browser, f"/loyalty/members/{kim.customer.ref}/{path}")
    own = client_for(kim)
    for path in ("/me/tier/", "/me/rewards/", "/me/points/"):
        assert_query_budget(own, path)
