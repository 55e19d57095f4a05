"""``/api/v1/loyalty/``: rewards, redemptions, vouchers, holds, rules and the simulator."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from common.time import now
from crm.services.merges import merge_customers
from loyalty.models import Hold, Membership, PointsTransaction, Redemption, Reward
from loyalty.selectors import balance_of
from loyalty.selectors.vouchers import show_code
from loyalty.services import spending
from loyalty.services.ledger import lock_accounts
from loyalty.services.tiers import add_tier, grant_tier
from tests.cast import ACTOR, make_customer, make_order, make_product
from tests.loyalty.spending import hold, make_member, make_reward, redeem

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
API = "/api/v1/loyalty/"


@pytest.fixture
def member(clock, programme):
    """Has 500 points for ever."""
    return make_member(500, external_id="C-1")


def post(client, path: str, body: dict[str, Any] | None = None, key: str = "") -> Any:
    headers = {"HTTP_IDEMPOTENCY_KEY": key} if key else {}
    return client.post(f"{API}{path}", body or {}, format="json", **headers)


def test_a_customer_joins_once(programme, api_client) -> None:
    customer = make_customer(external_id="C-9")
    client = api_client("staff")
    first = post(client, "accounts/", {"customer": "C-9"})
    assert (first.status_code, first.json()["customer"]) == (201, customer.ref)
    assert first["Location"] == f"{API}accounts/{customer.ref}/"
    assert (first.json()["available"], first.json()["lots"]) == (0, [])
    again = post(client, "accounts/", {"customer": customer.ref})
    assert (again.status_code, again.json()["ref"]) == (200, first.json()["ref"])
    assert Membership.objects.count() == 1
    nobody = post(client, "accounts/", {"customer": "X"})
    assert (nobody.status_code, list(nobody.json()["errors"])) == (400, ["customer"])


def test_an_account_tells_its_lots_soonest_expiring_first(programme, api_client, clock) -> None:
    soon = clock() + timedelta(days=5)
    member = make_member(30, (20, soon), external_id="C-1")
    hold(member, 5, minutes=10)
    body = api_client("staff").get(f"{API}accounts/C-1/").json()
    assert [(lot["points"], lot["held"], lot["is_pending"]) for lot in body["lots"]] == [
        (20, 5, False),
        (30, 0, False),
    ]
    assert body["lots"][1]["expires_at"] is None
    assert (body["available"], body["held"], body["status"]) == (45, 5, "open")
    assert body["currency"] == "USD"
    clock.forward(days=6)
    later = api_client("staff").get(f"{API}accounts/C-1/").json()
    assert [lot["points"] for lot in later["lots"]] == [30]


def test_offers_say_what_a_member_can_have_and_what_is_missing(member, api_client) -> None:
    make_reward(points=100)
    make_reward("percent", points=600)
    offers = api_client("analyst").get(f"{API}accounts/{member.ref}/offers/").json()
    assert [(one["points"], one["is_available"], one["problem"]) for one in offers] == [
        (100, True, ""),
        (600, False, "too_few_points"),
    ]
    assert (offers[1]["missing"], offers[1]["progress"]) == (100, 83)


def test_managers_add_change_and_stop_rewards(programme, api_client) -> None:
    make_product(sku="CUP")
    mara = api_client("manager")
    made = post(
        mara, "rewards/", {"kind": "gift", "name": "A cup", "points": 250, "product": "CUP"}
    )
    assert made.status_code == 201, made.json()
    ref = made.json()["ref"]
    assert (made.json()["product"], made.json()["is_active"]) == ("CUP", True)
    changed = mara.patch(f"{API}rewards/{ref}/", {"points": 300, "stock": 5}, format="json")
    assert (changed.json()["points"], changed.json()["stock"]) == (300, 5)
    stopped = mara.patch(f"{API}rewards/{ref}/", {"is_active": False}, format="json")
    assert stopped.json()["is_active"] is False
    listed = mara.get(f"{API}rewards/", {"is_active": "true"}).json()["results"]
    assert listed == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "gift", "name": "A cup", "points": 5, "product": "NONE"}, "product"),
        ({"kind": "discount", "name": "Off", "points": 5}, "value"),
        ({"kind": "discount", "name": "Off", "points": 0, "value": "5"}, "points"),
        ({"kind": "discount", "name": "Off", "points": 5, "value": "5", "tier": "x"}, "tier"),
        ({"kind": "discount", "name": "Off", "points": 5, "value": "5", "prise": 1}, "prise"),
        ({"kind": "wish", "name": "Off", "points": 5}, "kind"),
    ],
)
def test_a_reward_that_cannot_be_is_refused_at_the_field(
    programme, api_client, body, field
) -> None:
    answer = post(api_client("manager"), "rewards/", body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert not Reward.objects.exists()


def test_staff_add_no_rewards(programme, api_client) -> None:
    answer = post(api_client("staff"), "rewards/", {"kind": "percent", "name": "x", "points": 5})
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


def test_points_are_exchanged_once_per_key(member, api_client) -> None:
    reward = make_reward(points=100)
    client = api_client("staff")
    body = {"customer": "C-1", "reward": reward.ref, "points": 100}
    first = post(client, "redemptions/", body, key="k1")
    assert first.status_code == 201, first.json()
    assert (first.json()["status"], first.json()["points"]) == ("issued", 100)
    assert first.json()["code"] == show_code(Redemption.objects.get().code or "")
    again = post(client, "redemptions/", body, key="k1")
    assert (again.status_code, again.json()) == (201, first.json())
    assert again["Idempotency-Replayed"] == "true"
    assert Redemption.objects.count() == 1
    other = post(client, "redemptions/", body | {"points": 99}, key="k1")
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")


def test_a_refusal_retried_under_the_same_key_stays_refused(programme, api_client, clock) -> None:
    member = make_member(50)
    reward = make_reward(points=100)
    client = api_client("staff")
    body = {"customer": member.ref, "reward": reward.ref}
    first = post(client, "redemptions/", body, key="k1")
    assert (first.status_code, first.json()["code"]) == (409, "too_few_points")
    make_order(customer=member, amount=1000, ordered_at=clock() - timedelta(days=30))
    from loyalty.services import accrue_due, release_due

    accrue_due(clock())
    release_due(clock())
    assert balance_of(member.pk, clock()).available == 1050
    again = post(client, "redemptions/", body, key="k1")
    assert (again.status_code, again.json()) == (409, first.json())
    assert again["Content-Type"] == "application/problem+json"
    assert not Redemption.objects.exists()
    assert post(client, "redemptions/", body, key="k2").status_code == 201


def test_a_redemption_is_taken_back_and_again_is_the_same(member, api_client, clock) -> None:
    redemption = redeem(member, make_reward(points=100))
    client = api_client("staff")
    for _attempt in range(2):
        answer = post(client, f"redemptions/{redemption.ref}/reverse/")
        assert (answer.status_code, answer.json()["status"]) == (200, "reversed")
    assert balance_of(member.pk, clock()).available == 500


def test_an_analyst_sees_redemptions_without_their_codes(member, api_client) -> None:
    redeem(member, make_reward(points=100))
    [row] = api_client("analyst").get(f"{API}redemptions/").json()["results"]
    assert (row["code"], row["customer_external_id"]) == ("", "C-1")


def test_a_voucher_is_looked_up_and_used_once(member, api_client) -> None:
    code = redeem(member, make_reward(points=100, minimum_amount=Decimal(20))).code
    client = api_client("staff")
    looked = post(client, "vouchers/check/", {"code": show_code(code), "amount": "15"}).json()
    assert (looked["is_good"], looked["problem"]) == (False, "needs_more")
    good = post(client, "vouchers/check/", {"code": code.lower(), "amount": "25"}).json()
    assert (good["is_good"], good["redemption"]["status"]) == (True, "issued")
    order = make_order(amount=25, external_id="O-7")
    use = {"code": code, "amount": "25", "order": "O-7"}
    for _attempt in range(2):
        answer = post(client, "vouchers/use/", use)
        assert (answer.status_code, answer.json()["order"]) == (200, order.ref)
    twice = post(client, "vouchers/use/", {"code": code, "amount": "25"})
    assert (twice.status_code, twice.json()["code"]) == (409, "voucher_used")


@pytest.mark.parametrize("path", ["check", "use"])
@pytest.mark.parametrize("code", ["ABCD-EFGH-JKMN-PQRS", "nonsense"])
def test_a_code_nobody_has_is_unknown(programme, api_client, path, code) -> None:
    answer = post(api_client("staff"), f"vouchers/{path}/", {"code": code})
    assert (answer.status_code, answer.json()["code"]) == (404, "voucher_unknown")


def test_who_tries_codes_is_slowed_down(programme, api_client) -> None:
    client = api_client("staff")
    answers = [post(client, "vouchers/check/", {"code": "x"}).status_code for _ in range(121)]
    assert (answers[119], answers[120]) == (404, 429)


def test_points_are_set_aside_and_captured_in_part(member, api_client, clock) -> None:
    client = api_client("staff")
    held = post(client, "holds/", {"customer": "C-1", "points": 200, "minutes": 10}, key="h1")
    assert (held.status_code, held.json()["status"]) == (201, "open")
    assert balance_of(member.pk, clock()).available == 300
    ref = held.json()["ref"]
    for _attempt in range(2):
        answer = post(client, f"holds/{ref}/capture/", {"points": 150})
        assert (answer.status_code, answer.json()["captured"]) == (200, 150)
    assert balance_of(member.pk, clock()).available == 350
    journal = PointsTransaction.objects.get(ref=answer.json()["transaction"])
    assert (journal.kind, journal.points) == ("redeem", -150)
    other = post(client, f"holds/{ref}/capture/", {"points": 10})
    assert (other.status_code, other.json()["code"]) == (409, "hold_resolved")
    assert (other.json()["status"], other.json()["its_status"]) == (409, "captured")
    assert post(client, f"holds/{ref}/void/").json()["code"] == "hold_resolved"


def test_a_hold_is_let_go_or_runs_out(member, api_client, clock) -> None:
    client = api_client("staff")
    first, second = hold(member, 100), hold(member, 100, minutes=5)
    for _attempt in range(2):
        assert post(client, f"holds/{first.ref}/void/").json()["status"] == "voided"
    clock.forward(minutes=6)
    assert client.get(f"{API}holds/{second.ref}/").json()["status"] == "expired"
    late = post(client, f"holds/{second.ref}/capture/")
    assert (late.status_code, late.json()["code"]) == (409, "hold_timed_out")
    assert balance_of(member.pk, clock()).available == 500
    assert Hold.objects.filter(captured__gt=0).count() == 0


@pytest.mark.parametrize("points", [0, -5, 10**18, "many", 1.5, None])
def test_points_that_are_none_are_refused_at_the_field(member, api_client, points) -> None:
    answer = post(api_client("staff"), "holds/", {"customer": "C-1", "points": points})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["points"])
    assert not Hold.objects.exists()


def test_the_simulator_says_what_a_purchase_would_earn_and_why(member, api_client) -> None:
    make_product(sku="CUP")
    client = api_client("analyst")
    told = post(client, "simulate/", {"amount": "25.50"}).json()
    assert (told["points"], told["reason"]) == (25, "")
    assert [(step["points"], step["why"]) for step in told["steps"]] == [(25, "")]
    by_lines = post(
        client, "simulate/", {"customer": "C-1", "lines": [{"sku": "CUP", "amount": "9"}]}
    )
    assert (by_lines.status_code, by_lines.json()["points"]) == (200, 9)
    assert not PointsTransaction.objects.filter(kind="earn").exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "amount"),
        ({"amount": "-5"}, "amount"),
        ({"lines": [{"sku": "NONE", "amount": "5"}]}, "lines"),
        ({"amount": "5", "customer": "nobody"}, "customer"),
        ({"order": "nothing"}, "order"),
    ],
)
def test_a_purchase_that_cannot_be_simulated_is_refused(programme, api_client, body, field) -> None:
    answer = post(api_client("staff"), "simulate/", body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


def test_rules_are_told_as_they_stand(programme, api_client) -> None:
    [rule] = api_client("analyst").get(f"{API}rules/").json()
    assert (rule["kind"], rule["is_paying"], rule["version"]) == ("amount", True, 1)
    assert "1 point" in rule["sentence"]


@pytest.mark.parametrize(
    "path", ["redemptions/", "holds/", "vouchers/check/", "vouchers/use/", "accounts/"]
)
def test_analysts_write_nothing(member, api_client, path) -> None:
    assert post(api_client("analyst"), path).status_code == 403


def test_an_account_tells_the_tier_and_what_is_missing(member, api_client, clock) -> None:
    silver = add_tier(name="Silver", threshold=Decimal(100), happened_at=clock(), actor=ACTOR)
    add_tier(name="Gold", threshold=Decimal(500), happened_at=clock(), actor=ACTOR)
    grant_tier(customer_id=member.pk, tier_id=silver.pk, happened_at=clock(), actor=ACTOR)
    standing = api_client("staff").get(f"{API}accounts/C-1/standing/").json()
    assert (standing["tier"], standing["name"]) == (silver.ref, "Silver")
    assert (standing["next_tier"], Decimal(standing["missing"])) == ("Gold", 500)


def test_an_adjustment_takes_four_eyes(member, client_for, stan, mara, alice, clock) -> None:
    asked = {"customer": "C-1", "points": 200, "reason": "goodwill"}

    def send(user, path: str, body: dict[str, Any], key: str = "") -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        return client_for(user).post(
            f"{API}{path}", body, content_type="application/json", headers=headers
        )

    made = send(stan, "adjustments/", asked, key="a1")
    assert (made.status_code, made.json()["status"]) == (201, "requested")
    assert send(stan, "adjustments/", asked, key="a1").json() == made.json()
    ref = made.json()["ref"]
    assert send(stan, f"adjustments/{ref}/approve/", {}).status_code == 403
    booked = send(mara, f"adjustments/{ref}/approve/", {"note": "She is right."}).json()
    assert (booked["status"], booked["approver"]) == ("approved", mara.email)
    assert balance_of(member.pk, clock()).available == 700
    own = send(mara, "adjustments/", asked).json()["ref"]
    refused = send(mara, f"adjustments/{own}/approve/", {})
    assert (refused.status_code, refused.json()["code"]) == (409, "own_adjustment")
    assert send(alice, f"adjustments/{own}/refuse/", {}).json()["status"] == "refused"


def test_a_key_adjusts_no_points(member, api_client) -> None:
    body = {"customer": "C-1", "points": 5, "reason": "goodwill"}
    answer = post(api_client("manager"), "adjustments/", body)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")


def test_points_that_were_just_being_moved_are_exchanged_when_the_same_request_comes_again(
    member, api_client, monkeypatch
) -> None:
    reward, client = make_reward(), api_client("staff")
    asked = {"customer": "C-1", "reward": reward.ref}

    def merged_meanwhile(account_ids):
        person = make_member(10)
        merge_customers(
            person_id=person.pk,
            record_id=member.pk,
            source="staff",
            happened_at=now(),
            actor=ACTOR,
        )
        return lock_accounts(account_ids)

    with monkeypatch.context() as patch:
        patch.setattr(spending, "lock_accounts", merged_meanwhile)
        refused = post(client, "redemptions/", asked, key="k1")
    assert (refused.status_code, refused.json()["code"]) == (409, "points_moved")
    assert not Redemption.objects.exists()

    done, again = (post(client, "redemptions/", asked, key="k1") for _turn in range(2))
    assert (done.status_code, again.content) == (201, done.content)
    assert Redemption.objects.get().ref == done.json()["ref"]
