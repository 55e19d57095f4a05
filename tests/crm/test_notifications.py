"""The bell: one is told once, reads one's own, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import Role, User
from accounts.services import create_user
from crm.models import Notification
from crm.services.notifications import mentioned_users, notify
from tests.budget import assert_query_budget
from tests.cast import NOON, make_customer

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

Browser = Callable[[User | None], Client]


def tell(*users: User, key: str = "k", customer_id: int | None = None) -> int:
    return notify(
        user_ids=[user.pk for user in users],
        kind="mention",
        subject_kind="customer",
        subject_ref="x",
        customer_id=customer_id,
        source_key=key,
        happened_at=NOON,
    )


def test_the_same_is_told_once_to_each(stan: User, mara: User) -> None:
    assert tell(stan) == 1
    assert tell(stan, mara) == 1
    assert tell(stan, mara) == 0
    assert Notification.objects.count() == 2


def test_the_bell_counts_what_one_has_not_read(stan: User, mara: User, client_for: Browser) -> None:
    tell(stan, key="a")
    tell(stan, mara, key="b")
    browser = client_for(stan)
    assert "2" in assert_query_budget(browser, "/notifications/bell/", 5).text
    assert "Mark all as read" in browser.get("/notifications/").text
    browser.post("/notifications/read/")
    assert not Notification.objects.filter(user=stan, read_at=None).exists()
    assert Notification.objects.filter(user=mara, read_at=None).count() == 1
    assert "badge" not in browser.get("/notifications/bell/").text


def test_opening_one_marks_it_and_leads_on(stan: User, mara: User, client_for: Browser) -> None:
    customer = make_customer()
    notify(
        user_ids=[stan.pk],
        kind="assigned",
        subject_kind="something else",
        subject_ref="x",
        customer_id=customer.pk,
        source_key="k",
        happened_at=NOON,
    )
    told = Notification.objects.get()
    url = f"/notifications/{told.ref}/open/"
    assert client_for(mara).post(url).status_code == 404
    told.refresh_from_db()
    assert told.read_at is None
    assert client_for(stan).post(url).url == f"/customers/{customer.ref}/"
    told.refresh_from_db()
    assert told.read_at is not None


def test_names_are_found_in_any_letters(stan: User, kim: User) -> None:
    anna = create_user(email="anna.k@keepwell.example", role=Role.STAFF, name="Анна Ким")
    gone = create_user(email="stan2@keepwell.example", role=Role.STAFF, name="Stan Gone")
    gone.is_active = False
    gone.save()
    assert mentioned_users("@анна, @stan! @Kim") == sorted([anna.pk, stan.pk])
    assert mentioned_users("@anna.k.") == [anna.pk]
    assert mentioned_users("stan@keepwell.example, no @nobody") == []
