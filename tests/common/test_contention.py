"""Who is in another one's way is told to try again; nothing of it is left, and no error page."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable

import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client
from rest_framework.test import APIClient

from common.contention import InTheWay, refusal_of
from common.models import IdempotencyKey
from crm.models import Customer
from tests.cast import make_customer

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.common.things")]


@pytest.fixture
def admin(api_client: Callable[..., APIClient]) -> APIClient:
    return api_client("admin")


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k1"}])
def test_a_program_is_told_to_try_again_and_may_use_its_key(
    admin: APIClient, headers: dict[str, str]
) -> None:
    answer = admin.post("/api/v1/things/", {"name": "deadlock"}, format="json", headers=headers)
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "in_the_way"
    assert not IdempotencyKey.objects.exists()


def test_a_page_says_so(client: Client) -> None:
    answer = client.get("/crossed/")
    assert answer.status_code == 503
    assert "Somebody else changed the same at this very moment." in answer.content.decode()


def test_a_locked_file_is_such_a_moment_and_a_full_disk_is_not() -> None:
    busy, full = sqlite3.OperationalError("database is locked"), sqlite3.OperationalError("full")
    busy.sqlite_errorcode, full.sqlite_errorcode = sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL
    found = []
    for cause in (busy, full):
        error = OperationalError(str(cause))
        error.__cause__ = cause
        found.append(type(refusal_of(error)))
    assert found == [InTheWay, OperationalError]


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_two_who_wait_for_each_other_one_is_refused() -> None:
    people = [make_customer(name=name).pk for name in ("Kim", "Pat")]
    both_hold_one, said = threading.Barrier(2), []

    def change(first: int, then: int) -> None:
        try:
            with transaction.atomic():
                Customer.objects.filter(pk=first).update(city="Rome")
                both_hold_one.wait(10)
                Customer.objects.filter(pk=then).update(city="Rome")
        except OperationalError as error:
            said.append(type(refusal_of(error)))
        finally:
            connection.close()

    threads = [threading.Thread(target=change, args=pair) for pair in (people, people[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert said == [InTheWay]
    assert Customer.objects.filter(city="Rome").count() == 2
