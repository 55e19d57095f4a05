"""``Idempotency-Key``: the same write sent twice has one effect and one answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from common.models import Event, IdempotencyKey
from common.services import forget_requests
from tests.cast import NOON
from tests.common.things import Things

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.common.things")]
URL = "/api/v1/things/"


@pytest.fixture
def admin(api_client: Callable[..., APIClient]) -> APIClient:
    return api_client("admin")


def send(client: APIClient, key: str | None = "k1", **body: Any) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(URL, body, format="json", headers=headers)


def test_the_same_request_gets_the_first_answer_and_has_one_effect(admin: APIClient) -> None:
    first, again = send(admin, name="Чай"), send(admin, name="Чай")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert again["Idempotency-Replayed"] == "true"
    assert Event.objects.filter(kind="thing").count() == 1


def test_without_a_key_every_request_counts(admin: APIClient) -> None:
    send(admin, None, name="a")
    send(admin, None, name="a")
    assert Event.objects.filter(kind="thing").count() == 2


def test_another_body_under_the_same_key_is_a_conflict(admin: APIClient) -> None:
    send(admin, name="a")
    answer = send(admin, name="b")
    assert (answer.status_code, answer.data["code"]) == (409, "idempotency_key_reused")
    assert Event.objects.filter(kind="thing").count() == 1


def test_a_refusal_is_remembered_and_leaves_nothing_behind(admin: APIClient) -> None:
    first, again = send(admin, name="refused"), send(admin, name="refused")
    assert (first.status_code, again.status_code) == (409, 409)
    assert first.content == again.content
    assert again["Content-Type"] == "application/problem+json"
    assert first.data["limit"] == "3"
    assert not Event.objects.filter(kind="thing").exists()


def test_invalid_input_is_remembered_too(admin: APIClient) -> None:
    first, again = send(admin, name=""), send(admin, name="")
    assert (first.status_code, again.status_code) == (400, 400)
    assert first.content == again.content


def test_a_refusal_of_this_instant_is_not_remembered(
    admin: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Things, "is_busy", True)
    refused = send(admin, name="a")
    assert (refused.status_code, refused.data["code"]) == (409, "busy")
    assert not IdempotencyKey.objects.exists()
    assert not Event.objects.filter(kind="thing").exists()

    monkeypatch.setattr(Things, "is_busy", False)
    done, again = send(admin, name="a"), send(admin, name="a")
    assert (done.status_code, again.content) == (201, done.content)
    assert again["Idempotency-Replayed"] == "true"
    assert Event.objects.filter(kind="thing").count() == 1


def test_a_crash_is_not_remembered(admin: APIClient) -> None:
    admin.raise_request_exception = False
    assert send(admin, name="crash").status_code == 500
    assert not IdempotencyKey.objects.exists()
    assert not Event.objects.filter(kind="thing").exists()


def test_two_callers_may_use_the_same_key(
    admin: APIClient, api_client: Callable[..., APIClient]
) -> None:
    first, other = send(admin, name="a"), send(api_client("admin"), name="a")
    assert first.data["id"] != other.data["id"]


@pytest.mark.parametrize("key", ["a b", "x" * 256, "\xe4"])
def test_a_key_that_cannot_be_one_is_refused(admin: APIClient, key: str) -> None:
    answer = admin.post(URL, {"name": "a"}, format="json", HTTP_IDEMPOTENCY_KEY=key)
    assert answer.status_code == 400
    assert not Event.objects.filter(kind="thing").exists()


def test_reading_ignores_the_key(admin: APIClient) -> None:
    assert admin.get(URL, headers={"Idempotency-Key": "k1"}).status_code == 200
    assert not IdempotencyKey.objects.exists()


def test_answers_are_forgotten_after_a_month(admin: APIClient) -> None:
    send(admin, "old", name="a")
    send(admin, "new", name="b")
    IdempotencyKey.objects.filter(key="old").update(created_at=NOON.replace(year=2020))
    assert forget_requests(now=IdempotencyKey.objects.get(key="new").created_at) == 1
    assert [row.key for row in IdempotencyKey.objects.all()] == ["new"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(
    "sqlite" in str(connection.vendor), reason="an in-memory database has no rivals"
)
@pytest.mark.postgres
def test_of_two_requests_at_once_the_second_gets_the_firsts_answer(
    admin: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Things, "slow", 0.3)
    authorization = admin._credentials["HTTP_AUTHORIZATION"]
    answers: list[Any] = []

    def request() -> None:
        try:
            client = APIClient()
            client.credentials(HTTP_AUTHORIZATION=authorization)
            answers.append(send(client, name="a"))
        finally:
            connection.close()

    threads = [threading.Thread(target=request) for _n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert Event.objects.filter(kind="thing").count() == 1
