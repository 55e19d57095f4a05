"""Following up deliveries: whom, when, once."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from common.errors import InvalidInput
from common.models import Event
from crm.models import Customer, Order
from crm.services import change_order
from crm.services.merges import merge_customers
from feedback.models import Invitation
from feedback.services import survey_url
from mailing.models import Message, Template
from mailing.services import send_due
from outreach.models import Enrolment, Rule
from outreach.services import enrol_due, ensure_follow_up_rule, switch_rule
from tests.cast import NOON, make_customer, make_order
from tests.requirements import tries

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
DAY = timedelta(days=1)


@pytest.fixture
def rule(clock: Any) -> Rule:
    """Three days after delivery, for deliveries of the last ten days."""
    return ensure_follow_up_rule(
        delay_days=3, happened_at=NOON, actor="system", active_from=NOON - 10 * DAY
    )


def delivered(days_ago: float, customer: Customer | None = None, **fields: Any) -> Order:
    customer = customer or make_customer(consent=True, happened_at=NOON - 20 * DAY)
    return make_order(customer=customer, ordered_at=NOON - days_ago * DAY, **fields)


def states() -> list[tuple[str, str]]:
    return list(Enrolment.objects.order_by("id").values_list("state", "reason"))


def test_a_delivery_is_followed_up_when_it_is_due(rule: Rule) -> None:
    customer = make_customer(name="Kim", email="kim@customers.example", consent=True, language="ru")
    order = delivered(2, customer)
    enrol_due(NOON)
    assert states() == [("waiting", "")]
    assert not Message.objects.exists()

    enrol_due(NOON + DAY)
    enrolment = Enrolment.objects.get()
    assert (enrolment.state, enrolment.arm, enrolment.order_id) == ("enrolled", "treated", order.pk)
    message = Message.objects.get()
    invitation = Invitation.objects.get()
    assert (message.kind, message.template.language) == ("survey", "ru")
    assert message.content.values["survey_url"] == survey_url(invitation)
    assert message.source_key == invitation.trigger_key == f"follow_up:after_delivery:{order.pk}"
    assert Event.objects.filter(kind="followup.enrolled", customer_id=customer.pk).count() == 1


def test_the_email_arrives_in_the_customers_language_with_link_and_way_out(rule: Rule) -> None:
    customer = make_customer(name="Ли Вэй", consent=True, language="zh-hans")
    delivered(4, customer)
    enrol_due(NOON)
    send_due(NOON)
    [email] = mail.outbox
    assert email.subject == "您对这次购物满意吗？"
    assert survey_url(Invitation.objects.get()) in email.body
    assert email.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_a_second_sweep_changes_nothing(rule: Rule) -> None:
    for _ in range(3):
        delivered(4)
    assert enrol_due(NOON) == 6  # noticed and decided
    before = list(Enrolment.objects.values())
    assert enrol_due(NOON) == 0
    assert enrol_due(NOON + timedelta(days=2)) == 0  # with the daily pass over everything
    assert list(Enrolment.objects.values()) == before
    assert Message.objects.count() == Invitation.objects.count() == 3


@pytest.mark.parametrize(
    "fields",
    [{"entry": "history"}, {"status": "placed"}, {"status": "cancelled"}],
)
def test_history_and_undelivered_orders_are_never_followed_up(
    rule: Rule, fields: dict[str, Any]
) -> None:
    delivered(4, **fields)
    enrol_due(NOON)
    assert states() == []


def test_a_sale_to_somebody_unknown_is_not_followed_up(rule: Rule) -> None:
    make_order(customer=None, ordered_at=NOON - 4 * DAY)
    enrol_due(NOON)
    assert states() == []


def test_deliveries_before_the_rule_began_are_left_alone(rule: Rule) -> None:
    delivered(11)
    delivered(9)
    enrol_due(NOON)
    assert states() == [("enrolled", "")]


def test_ancient_deliveries_are_left_alone() -> None:
    ensure_follow_up_rule(
        delay_days=3, happened_at=NOON, actor="system", active_from=NOON - 400 * DAY
    )
    delivered(34)
    delivered(32)
    enrol_due(NOON)
    assert states() == [("enrolled", "")]


def test_an_order_delivered_late_is_followed_up_from_its_delivery(rule: Rule, clock: Any) -> None:
    order = delivered(9, status="placed")
    enrol_due(NOON)
    clock.forward(days=1)
    change_order(
        order_id=order.pk,
        status="delivered",
        delivered_at=NOON,
        happened_at=NOON + DAY,
        actor="system",
    )
    enrol_due(NOON + DAY)
    assert Enrolment.objects.get().due_at == NOON + 3 * DAY


def test_a_cancelled_purchase_is_not_asked_about(rule: Rule) -> None:
    order = delivered(1)
    enrol_due(NOON)
    change_order(order_id=order.pk, status="cancelled", happened_at=NOON, actor="system")
    enrol_due(NOON + 3 * DAY)
    assert states() == [("skipped", "order_changed")]
    assert not Message.objects.exists()


def test_an_email_that_still_waits_is_withdrawn_with_its_purchase(rule: Rule, clock: Any) -> None:
    order, other = delivered(4), delivered(4)
    enrol_due(NOON)
    change_order(order_id=order.pk, status="cancelled", happened_at=NOON, actor="system")
    enrol_due(NOON + timedelta(seconds=2))
    send_due(NOON + timedelta(seconds=2))
    found = Enrolment.objects.order_by("id").values_list("order", "message__state")
    assert dict(found) == {order.pk: "suppressed", other.pk: "sent"}
    assert Message.objects.get(state="suppressed").reason == "order_changed"
    assert len(mail.outbox) == 1
    assert enrol_due(NOON + timedelta(seconds=4)) == 0


def test_looking_for_new_deliveries_walks_the_live_orders_only(rule: Rule, clock: Any) -> None:
    delivered(1)
    enrol_due(NOON)
    with CaptureQueriesContext(connection) as asked:
        enrol_due(NOON + timedelta(minutes=1))
    looks = [query["sql"] for query in asked if 'EXISTS(SELECT 1 AS "a"' in query["sql"]]
    assert len(looks) == 2
    assert not any('"revised_at"' in sql for sql in looks)  # its index holds all of history


def test_an_order_delivered_long_after_it_was_recorded_is_followed_up(
    rule: Rule, clock: Any
) -> None:
    order = delivered(1, status="placed")
    clock.forward(hours=5)
    enrol_due(clock())
    assert states() == []
    change_order(order_id=order.pk, status="delivered", happened_at=clock(), actor="system")
    clock.forward(minutes=1)
    enrol_due(clock())
    assert states() == [("waiting", "")]


def test_a_delivery_moved_later_waits_longer(rule: Rule) -> None:
    order = delivered(2)
    enrol_due(NOON)
    change_order(order_id=order.pk, delivered_at=NOON, happened_at=NOON, actor="system")
    enrol_due(NOON + DAY)
    enrolment = Enrolment.objects.get()
    assert (enrolment.state, enrolment.due_at) == ("waiting", NOON + 3 * DAY)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"consent": False}, "no_consent"),
        ({"consent": True, "email": ""}, "no_address"),
    ],
)
def test_who_can_not_be_asked_is_recorded_with_the_reason(
    rule: Rule, fields: dict[str, Any], reason: str
) -> None:
    delivered(4, make_customer(**fields))
    enrol_due(NOON)
    assert states() == [("skipped", reason)]
    assert not Message.objects.exists()
    assert not Invitation.objects.exists()


def test_nobody_is_asked_twice_within_two_months(rule: Rule, clock: Any) -> None:
    customer = make_customer(consent=True)
    delivered(5, customer)
    delivered(4, customer)
    enrol_due(NOON)
    assert states() == [("enrolled", ""), ("skipped", "cooldown")]

    for days in (40, 61):
        moment = clock.moment = NOON + days * DAY
        make_order(customer=customer, ordered_at=moment - 4 * DAY)
        enrol_due(moment)
    assert states()[2:] == [("skipped", "cooldown"), ("enrolled", "")]


def test_a_person_with_two_records_is_asked_once(rule: Rule) -> None:
    one, other = (make_customer(consent=True) for _ in range(2))
    delivered(5, one)
    delivered(4, other)
    merge_customers(
        person_id=one.pk, record_id=other.pk, source="staff", happened_at=NOON, actor="system"
    )
    enrol_due(NOON)
    assert states() == [("enrolled", ""), ("skipped", "cooldown")]


def test_changing_the_delay_asks_nobody_twice(rule: Rule) -> None:
    delivered(8)
    enrol_due(NOON)
    changed = ensure_follow_up_rule(
        delay_days=5, happened_at=NOON, actor="system", active_from=NOON - 10 * DAY
    )
    assert changed.version == 2
    assert Rule.objects.filter(is_active=True).count() == 1
    enrol_due(NOON)
    assert Enrolment.objects.count() == 1


def test_ensuring_the_same_rule_again_changes_nothing(rule: Rule) -> None:
    again = ensure_follow_up_rule(delay_days=3, happened_at=NOON + DAY, actor="system")
    assert again.pk == rule.pk
    assert Rule.objects.count() == 1
    assert Template.objects.filter(key="follow_up_nps").count() == 3


def test_a_delay_without_sense_is_refused() -> None:
    with pytest.raises(InvalidInput):
        ensure_follow_up_rule(delay_days=-1, happened_at=NOON, actor="system")
    assert not Rule.objects.exists()


def test_a_rule_switched_off_asks_nobody_and_does_not_catch_up_later(
    rule: Rule, clock: Any
) -> None:
    switch_rule(rule_id=rule.pk, is_active=False, happened_at=NOON, actor="user:1")
    delivered(4)
    assert enrol_due(NOON) == 0
    switch_rule(rule_id=rule.pk, is_active=True, happened_at=NOON + DAY, actor="user:1")
    enrol_due(NOON + DAY)
    assert states() == []


def test_a_crash_in_the_middle_leaves_nothing_half_done(
    rule: Rule, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivered(4)

    def crash(*args: Any, **fields: Any) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("outreach.services.enrolling.queue_messages", crash)
        with pytest.raises(MemoryError):
            enrol_due(NOON)
    assert states() == [("waiting", "")]
    assert not Invitation.objects.exists()
    enrol_due(NOON)
    assert states() == [("enrolled", "")]


@pytest.mark.django_db(transaction=True)
@hypothesis_settings(
    max_examples=tries(15),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    purchases=st.lists(
        st.tuples(st.integers(0, 3), st.floats(0, 40, allow_nan=False)), max_size=12
    ),
    sweeps=st.lists(st.floats(0, 20, allow_nan=False), min_size=1, max_size=6),
)
def test_however_often_it_sweeps_each_purchase_is_decided_once(
    purchases: list[tuple[int, float]], sweeps: list[float], clock: Any
) -> None:
    ensure_follow_up_rule(
        delay_days=3, happened_at=NOON, actor="system", active_from=NOON - 30 * DAY
    )
    already = set(Enrolment.objects.values_list("order_id", flat=True))
    people = [make_customer(consent=True, happened_at=NOON) for _ in range(4)]
    orders = [
        make_order(customer=people[who], ordered_at=NOON - ago * DAY).pk for who, ago in purchases
    ]
    for days in sorted(sweeps):
        enrol_due(NOON + days * DAY)
        enrol_due(NOON + days * DAY)
    mine = Enrolment.objects.exclude(order_id__in=already).filter(order_id__in=orders)
    assert len(mine) == len({one.order_id for one in mine})
    asked = [one for one in mine if one.state == "enrolled"]
    assert len(asked) == len({one.customer_id for one in asked})  # sixty days apart
    assert Message.objects.filter(customer__in=people).count() == len(asked)
    assert Invitation.objects.filter(customer__in=people).count() == len(asked)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="threads need PostgreSQL")
def test_two_sweeps_at_once_ask_each_customer_once(rule: Rule) -> None:
    people = [make_customer(consent=True, happened_at=NOON) for _ in range(30)]
    for ago in (4, 5):
        for customer in people:
            delivered(ago, customer)

    def sweep() -> None:
        try:
            enrol_due(NOON)
        finally:
            connection.close()

    threads = [threading.Thread(target=sweep) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Enrolment.objects.filter(state="enrolled").count() == 30
    assert Enrolment.objects.filter(state="skipped", reason="cooldown").count() == 30
    assert Message.objects.count() == Invitation.objects.count() == 30
