"""Who may be written to, now, later or never."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from crm.services import record_consent
from crm.services.merges import merge_customers, undo_merge
from mailing.gate import can_send, quiet_until
from mailing.models import Message, MessageContent
from mailing.services import suppress_address
from tests.cast import NOON, make_customer, make_location

Queue = Callable[..., Message]

pytestmark = pytest.mark.django_db


def fresh(message: Message) -> Message:
    return Message.objects.select_related("customer__location", "content").get(pk=message.pk)


@pytest.mark.parametrize("kind", ["service", "reply"])
def test_service_and_replies_need_no_consent_and_pass_at_night(queue: Queue, kind: str) -> None:
    message = queue(make_customer(), kind=kind)
    assert can_send(fresh(message), NOON.replace(hour=23)).is_yes


@pytest.mark.parametrize("kind", ["marketing", "survey"])
def test_offers_and_surveys_need_consent(queue: Queue, kind: str) -> None:
    message = queue(make_customer(), kind=kind)
    assert can_send(fresh(message), NOON).reason == "no_consent"


def test_consent_for_surveys_is_no_consent_for_offers(queue: Queue) -> None:
    customer = make_customer()
    record_consent(
        customer_id=customer.pk,
        purpose="surveys",
        is_granted=True,
        happened_at=NOON,
        actor="system",
        source="portal",
    )
    assert can_send(fresh(queue(customer, kind="survey")), NOON).is_yes
    assert can_send(fresh(queue(customer, kind="marketing")), NOON).reason == "no_consent"


def test_nobody_without_an_address_is_written_to(queue: Queue) -> None:
    message = queue(make_customer(email=""))
    assert can_send(fresh(message), NOON).reason == "no_address"


def test_an_erased_message_is_not_sent(queue: Queue) -> None:
    message = queue()
    MessageContent.objects.filter(message=message).delete()
    assert can_send(fresh(message), NOON).reason == "erased"


def test_a_bounced_address_gets_nothing_at_all(queue: Queue) -> None:
    message = queue(make_customer(email="kim@customers.example"))
    suppress_address(address="KIM@customers.example ", kind="bounced", happened_at=NOON)
    assert can_send(fresh(message), NOON).reason == "bounced"


def test_an_unsubscription_concerns_its_purpose_only(queue: Queue) -> None:
    customer = make_customer(email="kim@customers.example", consent=True, happened_at=NOON)
    suppress_address(
        address="kim@customers.example",
        kind="unsubscribed",
        purpose="marketing",
        happened_at=NOON,
    )
    assert can_send(fresh(queue(customer, kind="marketing")), NOON).reason == "unsubscribed"
    assert can_send(fresh(queue(customer, kind="survey")), NOON).is_yes
    assert can_send(fresh(queue(customer, kind="service")), NOON).is_yes


@pytest.mark.parametrize(
    ("source", "reason"), [("import", "unsubscribed"), ("portal", ""), ("staff", "")]
)
def test_only_the_customers_own_later_word_undoes_an_unsubscription(
    queue: Queue, source: str, reason: str
) -> None:
    customer = make_customer(email="kim@customers.example")
    suppress_address(
        address="kim@customers.example",
        kind="unsubscribed",
        purpose="marketing",
        happened_at=NOON - timedelta(days=1),
    )
    record_consent(
        customer_id=customer.pk,
        purpose="marketing",
        is_granted=True,
        happened_at=NOON,
        actor="system",
        source=source,
    )
    assert can_send(fresh(queue(customer, kind="marketing")), NOON).reason == reason


def test_a_suppression_outlives_a_change_of_the_secret_key(queue: Queue, settings: Any) -> None:
    message = queue(make_customer(email="kim@customers.example"))
    suppress_address(address="kim@customers.example", kind="manual", happened_at=NOON)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another" * 8
    assert can_send(fresh(message), NOON).reason == "manual"


@pytest.mark.parametrize(
    ("hour", "later"),
    [
        (8, datetime(2026, 3, 2, 9, tzinfo=UTC)),
        (9, None),
        (20, None),
        (21, datetime(2026, 3, 3, 9, tzinfo=UTC)),
    ],
)
def test_surveys_wait_for_the_end_of_the_quiet_hours(
    queue: Queue, hour: int, later: datetime | None
) -> None:
    message = queue(kind="survey")
    verdict = can_send(fresh(message), NOON.replace(hour=hour))
    assert verdict.later == later
    assert verdict.reason == ("quiet_hours" if later else "")


def test_quiet_hours_are_those_of_the_customers_shop(queue: Queue) -> None:
    shop = make_location(timezone="Asia/Vladivostok")  # noon UTC is ten in the evening there
    customer = make_customer(consent=True, happened_at=NOON, location_id=shop.pk)
    verdict = can_send(fresh(queue(customer, kind="survey")), NOON)
    assert (verdict.reason, verdict.later) == (
        "quiet_hours",
        datetime(2026, 3, 2, 23, tzinfo=UTC),
    )


def test_a_message_may_be_told_to_pass_at_night(queue: Queue) -> None:
    message = queue(kind="survey", keeps_quiet_hours=False)
    assert can_send(fresh(message), NOON.replace(hour=23)).is_yes


def test_quiet_hours_end_right_on_the_day_the_clocks_change() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    night = datetime(2026, 3, 28, 23, tzinfo=berlin)
    assert quiet_until(night, berlin) == datetime(2026, 3, 29, 9, tzinfo=berlin)


def test_quiet_hours_within_a_day_are_understood_too(settings: Any) -> None:
    settings.MAILING_QUIET_HOURS = (12, 14)
    assert quiet_until(NOON, ZoneInfo("UTC")) == NOON.replace(hour=14)
    assert quiet_until(NOON.replace(hour=15), ZoneInfo("UTC")) is None


def test_the_frequency_cap_makes_the_next_one_wait(queue: Queue, settings: Any) -> None:
    settings.MAILING_CAP_MESSAGES, settings.MAILING_CAP_DAYS = 2, 7
    customer = make_customer(consent=True, happened_at=NOON)
    for days in (6, 1):
        sent_at = NOON - timedelta(days=days)
        Message.objects.filter(pk=queue(customer, kind="marketing").pk).update(
            state="sent", sent_at=sent_at, handed_over_at=sent_at
        )
    message = queue(customer, kind="survey")
    verdict = can_send(fresh(message), NOON)
    assert (verdict.reason, verdict.later) == ("frequency_cap", NOON + timedelta(days=1))
    assert can_send(fresh(queue(customer, kind="service")), NOON).is_yes


def test_cap_and_consent_are_those_of_the_person(queue: Queue, settings: Any) -> None:
    settings.MAILING_CAP_MESSAGES, settings.MAILING_CAP_DAYS = 1, 7
    one, other = (make_customer(consent=True, happened_at=NOON) for _ in range(2))
    sent = queue(one, kind="marketing")
    Message.objects.filter(pk=sent.pk).update(state="sent", sent_at=NOON, handed_over_at=NOON)
    message = queue(other, kind="marketing")
    assert can_send(fresh(message), NOON).is_yes
    merge = merge_customers(
        person_id=one.pk, record_id=other.pk, source="staff", happened_at=NOON, actor="system"
    )
    assert can_send(fresh(message), NOON).reason == "frequency_cap"
    record_consent(
        customer_id=one.pk,
        purpose="marketing",
        is_granted=False,
        happened_at=NOON + timedelta(hours=1),
        actor="system",
        source="staff",
    )
    assert can_send(fresh(message), NOON).reason == "no_consent"
    undo_merge(merge_ref=merge.ref, happened_at=NOON, actor="system")
    assert can_send(fresh(message), NOON).is_yes


def test_a_survey_two_weeks_late_is_not_sent_any_more(queue: Queue) -> None:
    message = queue(kind="survey")
    assert can_send(fresh(message), NOON + timedelta(days=15)).reason == "too_late"
