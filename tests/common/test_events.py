"""The audit trail."""

from __future__ import annotations

import pytest

from accounts.models import ApiKey, User
from common import registry
from common.models import ChangeDetail, Event, Heartbeat
from common.requests import actor_of, client_ip
from common.services import record_event, record_heartbeat
from tests.cast import NOON, make_customer

pytestmark = pytest.mark.django_db


def test_an_event_keeps_when_it_happened_and_when_it_was_recorded() -> None:
    event = record_event(
        kind="a.b",
        subject_kind="thing",
        subject_ref="x",
        occurred_at=NOON,
        actor="user:1",
        codes={"amount": "1.50"},
    )
    event.refresh_from_db()
    assert (event.occurred_at, event.codes, event.actor) == (NOON, {"amount": "1.50"}, "user:1")
    assert event.recorded_at > NOON


def test_personal_text_stands_in_an_erasable_row_of_its_own() -> None:
    event = record_event(
        kind="a.b",
        subject_kind="thing",
        subject_ref="x",
        occurred_at=NOON,
        detail={"name": ["Ann", "Anna"]},
    )
    assert "Ann" not in str(Event.objects.filter(pk=event.pk).values().get())
    assert ChangeDetail.objects.get(event=event).content == {"name": ["Ann", "Anna"]}
    ChangeDetail.objects.filter(event=event).delete()
    assert Event.objects.filter(pk=event.pk).exists()


def test_without_personal_text_there_is_no_such_row() -> None:
    record_event(kind="a.b", subject_kind="thing", subject_ref="x", occurred_at=NOON)
    assert not ChangeDetail.objects.exists()


def test_nothing_personal_stands_in_the_events_of_a_new_customer() -> None:
    make_customer(name="Ann Example", email="ann@example.com", phone="+4930123456")
    kept = str(list(Event.objects.values()))
    for secret in ("Ann", "Example", "example.com", "123456"):
        assert secret not in kept


def test_a_heartbeat_is_one_row_per_part() -> None:
    record_heartbeat(name="worker", beat_at=NOON)
    record_heartbeat(name="worker", beat_at=NOON.replace(hour=13))
    assert Heartbeat.objects.get().beat_at.hour == 13


class Asked:
    """What a request shows of its caller."""

    def __init__(self, user: User | None = None, auth: object = None, **meta: str) -> None:
        self.user, self.auth, self.META = user, auth, meta


def test_the_actor_is_a_key_a_user_or_the_public(stan: User) -> None:
    assert actor_of(Asked(stan)) == f"user:{stan.pk}"
    assert actor_of(Asked(User(email=""), ApiKey(pk=3))) == "key:3"
    assert actor_of(Asked()) == "public"


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "203.0.113.9", "192.0.2.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        (2, "6.6.6.6, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (2, "203.0.113.9", "203.0.113.9"),
        (1, "", "192.0.2.1"),
        (1, "rubbish\x00", "192.0.2.1"),
        (1, "2001:db8::1", "2001:db8::1"),
    ],
)
def test_the_clients_address_stands_before_our_own_proxies(
    proxies: int, forwarded: str, address: str, settings: object
) -> None:
    settings.TRUSTED_PROXIES = proxies  # type: ignore[attr-defined]
    asked = Asked(REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_FOR=forwarded)
    assert client_ip(asked) == address


def test_a_local_socket_counts_as_this_machine() -> None:
    assert client_ip(Asked(REMOTE_ADDR="")) == "127.0.0.1"


def test_every_event_kind_that_is_shown_is_described() -> None:
    for kind, renderer in registry.event_renderers.items():
        assert str(renderer.label)
        assert isinstance(renderer.describe({}), str), kind
