"""Whatever goes wrong under ``/api/v1/`` is told as RFC 9457 problem details."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import ApiKey, User
from accounts.services import revoke_api_key
from common.errors import Conflict
from common.models import Event
from common.problems import problem_response
from tests.cast import NOON

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.any_database,
    pytest.mark.urls("tests.common.things"),
]
URL = "/api/v1/things/"
JSON = "application/json"


@pytest.fixture
def admin(api_client: Callable[..., APIClient]) -> APIClient:
    return api_client("admin")


def assert_problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (body["status"], body["code"], body["type"]) == (status, code, "about:blank")
    assert body["title"]
    return body


def raw(client: Any, body: str | bytes, content_type: str = JSON) -> Any:
    return client.post(URL, data=body, content_type=content_type)


@pytest.mark.parametrize(
    "url", ["/api/v1/nothing/", "/api/v1/", "/api/v1/things", "/api/v1/a%0Ab/c"]
)
@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options"])
def test_an_unknown_url(url: str, method: str) -> None:
    assert_problem(getattr(APIClient(), method)(url), 404, "not_found")


def test_no_key(admin: APIClient) -> None:
    answer = APIClient().get(URL)
    assert_problem(answer, 401, "not_authenticated")
    assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("header", ["Bearer nonsense", "Bearer", "Bearer a b", "Bearer \xff"])
def test_a_key_that_is_none(header: str) -> None:
    answer = APIClient().get(URL, HTTP_AUTHORIZATION=header)
    assert_problem(answer, 401, "authentication_failed")


def test_a_revoked_key(admin: APIClient, alice: User) -> None:
    revoke_api_key(key_id=ApiKey.objects.get().pk, happened_at=NOON, actor="system")
    assert_problem(admin.get(URL), 401, "authentication_failed")


def test_a_role_that_does_not_cover_it(api_client: Callable[..., APIClient]) -> None:
    staff = api_client("staff")
    assert staff.get(URL).status_code == 200
    assert_problem(staff.post(URL, {"name": "a"}, format="json"), 403, "permission_denied")
    assert_problem(api_client("analyst").get(URL), 403, "permission_denied")


def test_a_session_works_too_but_writes_need_the_csrf_token(alice: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    assert browser.get(URL).status_code == 200
    assert_problem(raw(browser, '{"name": "a"}'), 403, "permission_denied")


def test_a_method_it_does_not_know(admin: APIClient) -> None:
    answer = admin.delete(URL)
    assert_problem(answer, 405, "method_not_allowed")
    assert "POST" in answer["Allow"]


def test_another_content_type(admin: APIClient) -> None:
    for content_type in ("text/plain", "application/xml", "application/x-www-form-urlencoded"):
        assert_problem(raw(admin, "name=a", content_type), 415, "unsupported_media_type")


def test_another_format_wanted(admin: APIClient) -> None:
    assert_problem(admin.get(URL, HTTP_ACCEPT="application/xml"), 406, "not_acceptable")


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "",
        '{"name": NaN}',
        '{"amount": Infinity, "name": "a"}',
        '{"amount": -Infinity, "name": "a"}',
        '{"amount": 1e999, "name": "a"}',
        '{"amount": ' + "9" * 30 + ', "name": "a"}',
        '{"amount": ' + "9" * 5000 + ', "name": "a"}',
        "[" * 40 + "]" * 40,
        "[" * 100_000 + "]" * 100_000,
        b'{"name": "\xff"}',
        b"\xff\xfe\x00",
        '{"a\\u0000": 1}',
        '{"\\ud800": 1}',
    ],
)
def test_a_body_that_is_no_acceptable_json(admin: APIClient, body: str | bytes) -> None:
    answer = raw(admin, body)
    code = "invalid" if body == "" else "parse_error"
    assert_problem(answer, 400, code)
    assert not Event.objects.filter(kind="thing").exists()


@pytest.mark.parametrize("body", ["null", "[]", '"a"', "1", "true", '[{"name": "a"}]'])
def test_json_of_the_wrong_shape(admin: APIClient, body: str) -> None:
    assert_problem(raw(admin, body), 400, "invalid")


@pytest.mark.parametrize("charset", ["utf-16", "no-such-charset", "idna"])
def test_any_charset_means_utf_8(admin: APIClient, charset: str) -> None:
    assert raw(admin, '{"name": "a"}', f"{JSON}; charset={charset}").status_code == 201


def test_a_huge_body(admin: APIClient, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    body = '{"name": "' + "a" * 2000 + '"}'
    assert_problem(raw(admin, body), 413, "body_too_large")


@pytest.mark.parametrize("text", ["a\\u0000b", "a\\ud800b", "\\udfff"])
@pytest.mark.parametrize("field", ["name", "note", "amount", "at", "email", "phone", "unknown"])
def test_text_no_database_takes_is_refused_on_its_field(
    admin: APIClient, field: str, text: str
) -> None:
    answer = raw(admin, f'{{"name": "a", "{field}": "{text}"}}')
    body = assert_problem(answer, 400, "invalid")
    assert body["errors"] == {field: ["The text contains a character that can't be used."]}


def test_nested_text_is_refused_on_its_path(admin: APIClient) -> None:
    answer = raw(admin, '{"lines": [{}, {"sku": "\\u0000"}]}')
    assert list(assert_problem(answer, 400, "invalid")["errors"]) == ["lines.1.sku"]


@pytest.mark.parametrize("url", ["/api/v1/things/?q=%00", "/api/v1/%00/", "/api/v1/customers/%00/"])
def test_nul_in_the_address(admin: APIClient, url: str) -> None:
    assert_problem(admin.get(url), 400, "invalid")


def test_a_title_comes_in_the_language_asked_for(admin: APIClient) -> None:
    answer = admin.post(URL, {}, format="json", HTTP_ACCEPT_LANGUAGE="ru")
    assert_problem(answer, 400, "invalid")
    assert answer["Content-Language"] == "ru"


def test_too_many_requests(admin: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from common.throttling import CallerThrottle

    monkeypatch.setattr(CallerThrottle, "THROTTLE_RATES", {"caller": "2/min", "public": "1/min"})
    assert [admin.get(URL).status_code for _n in range(2)] == [200, 200]
    answer = admin.get(URL)
    assert_problem(answer, 429, "throttled")
    assert 0 < int(answer["Retry-After"]) <= 60


def test_each_key_has_its_own_limit(
    api_client: Callable[..., APIClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    from common.throttling import CallerThrottle

    monkeypatch.setattr(CallerThrottle, "THROTTLE_RATES", {"caller": "1/min", "public": "1/min"})
    assert [api_client("admin").get(URL).status_code for _n in range(3)] == [200] * 3


def test_the_key_remembers_when_it_was_last_used(admin: APIClient) -> None:
    assert ApiKey.objects.get().last_used_at is None
    admin.get(URL)
    assert ApiKey.objects.get().last_used_at is not None


def test_a_crash_on_our_side_is_a_problem_too(admin: APIClient) -> None:
    admin.raise_request_exception = False
    answer = admin.post(URL, {"name": "crash"}, format="json")
    assert_problem(answer, 500, "server_error")


def test_what_is_not_known_is_left_out() -> None:
    answer = problem_response(Conflict(limit=3, used_at=None), {})
    assert answer is not None
    assert set(answer.data) == {"type", "status", "code", "title", "limit"}
