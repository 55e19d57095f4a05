"""Managers' pages of rewards, vouchers, members and adjustments."""

from __future__ import annotations

from decimal import Decimal

import pytest

from loyalty.models import Membership, Redemption, Reward
from tests.cast import make_order, make_product
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
