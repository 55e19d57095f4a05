"""``/api/v1/interactions/``: other systems post contacts, once each, whatever the order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import User
from crm.models import Attachment, Conversation, Interaction
from crm.services.interactions import NewContact, record_interaction
from tests.cast import ACTOR, NOON, make_customer

pytestmark = pytest.mark.django_db

URL = "/api/v1/interactions/"
Program = Callable[..., APIClient]
MESSAGE = {
    "source": "chatty",
    "external_id": "m1",
    "thread": "t1",
    "channel": "chat",
    "text": "Is it there?",
    "occurred_at": "2026-03-02T12:00:00Z",
}


def post(program: APIClient, **changes: Any) -> Any:
    return program.post(URL, MESSAGE | changes, format="json")


def test_a_posted_message_waits_in_the_inbox(api_client: Program) -> None:
    customer = make_customer(external_id="C1")
    answer = post(api_client("staff"), customer="C1")
    assert answer.status_code == 201
    body = answer.json()
    assert answer["Location"] == f"{URL}{body['ref']}/"
    assert {name: body[name] for name in ("customer", "customer_external_id", "text")} == {
        "customer": customer.ref,
        "customer_external_id": "C1",
        "text": "Is it there?",
    }
    assert (body["direction"], body["needs_answer"]) == ("inbound", True)
    assert body["due_at"] == "2026-03-02T12:15:00Z"
    conversation = Conversation.objects.get(ref=body["conversation"])
    assert (conversation.thread, conversation.waiting_since) == ("t1", NOON)


def test_the_same_again_is_not_doubled_and_another_body_is_refused(api_client: Program) -> None:
    program = api_client("staff")
    first = post(program)
    again = post(program)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    refused = post(program, text="Something else")
    assert refused.status_code == 409
    assert refused.json()["code"] == "interaction_taken"
    assert Interaction.objects.get().text == "Is it there?"
    assert post(program, source="other").status_code == 201


def test_an_idempotency_key_answers_as_before(api_client: Program) -> None:
    program = api_client("staff")
    body = {name: value for name, value in MESSAGE.items() if name != "external_id"}
    key = {"HTTP_IDEMPOTENCY_KEY": "k1"}
    first = program.post(URL, body, format="json", **key)
    again = program.post(URL, body, format="json", **key)
    assert again.json() == first.json()
    assert Interaction.objects.count() == 1


def test_an_answer_posted_before_its_question_settles_right(api_client: Program) -> None:
    program = api_client("staff")
    post(program, external_id="m2", direction="outbound", occurred_at="2026-03-02T12:05:00Z")
    question = post(program).json()
    assert question["response_seconds"] == 300
    assert Conversation.objects.get().state == "closed"


@pytest.mark.parametrize(
    "known", [{"email": "Kim@Customers.example"}, {"phone": "8 916 123-45-67"}]
)
def test_the_customer_is_recognised_by_address_or_number(
    known: dict[str, str], api_client: Program
) -> None:
    customer = make_customer(email="kim@customers.example", phone="+79161234567")
    assert post(api_client("staff"), **known).json()["customer"] == customer.ref


def test_an_unknown_sender_is_kept_and_linked_later(api_client: Program) -> None:
    program = api_client("staff")
    body = post(program, email="new@else.example").json()
    assert (body["customer"], body["sender"]) == (None, "new@else.example")
    customer = make_customer()
    told = program.patch(f"{URL}{body['ref']}/", {"customer": customer.ref}, format="json")
    assert told.json()["customer"] == customer.ref
    other = program.patch(f"{URL}{body['ref']}/", {"customer": make_customer().ref}, format="json")
    assert other.status_code == 409
    assert Interaction.objects.get().customer == customer


def test_a_contact_is_mended_by_patch(api_client: Program) -> None:
    program = api_client("staff")
    ref = post(program).json()["ref"]
    told = program.patch(
        f"{URL}{ref}/", {"text": "Mended", "needs_answer": False}, format="json"
    ).json()
    assert (told["text"], told["needs_answer"], told["due_at"]) == ("Mended", False, None)
    assert Conversation.objects.get().waiting_since is None
    assert post(program).status_code == 200  # the first post again still is the same


@pytest.mark.parametrize(
    "wrong",
    [
        {"channel": "pigeon"},
        {"source": "staff"},
        {"source": "Import"},
        {"customer": "nobody"},
        {"occurred_at": "2199-01-01T00:00:00Z"},
        {"location": "nowhere"},
        {"colour": "red"},
    ],
)
def test_what_can_t_be_meant_is_refused_on_its_field(
    wrong: dict[str, str], api_client: Program
) -> None:
    answer = post(api_client("staff"), **wrong)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == list(wrong)
    assert not Interaction.objects.exists()


def test_filters_find_what_waits_and_whose_it_is(api_client: Program) -> None:
    program = api_client("staff")
    customer = make_customer()
    post(program, customer=customer.ref)
    post(program, external_id="m2", thread="t2", needs_answer=False)
    post(program, external_id="m3", thread="t3", channel="phone", direction="outbound")

    def found(**query: str) -> list[str]:
        return [row["external_id"] for row in program.get(URL, query).json()["results"]]

    assert found(waiting="true") == ["m1"]
    assert found(customer=customer.ref) == ["m1"]
    assert found(customer="nobody") == []
    assert found(channel="phone") == ["m3"]
    assert found(direction="inbound") == ["m2", "m1"]
    assert found(source="chatty", external_id="m2") == ["m2"]
    assert found(occurred_since="2026-03-02T12:00:01Z") == []


def test_internal_notes_leave_only_when_asked_for_by_a_colleague(
    api_client: Program, kim: User, client_for: Callable[[User | None], Client]
) -> None:
    record_interaction(
        contact=NewContact(
            channel="phone", direction="internal", customer_id=kim.customer.pk, text="Difficult"
        ),
        happened_at=NOON,
        actor=ACTOR,
    )
    assert api_client("staff").get(URL).json()["results"] == []
    asked = api_client("staff").get(URL, {"direction": "internal"}).json()["results"]
    assert [row["text"] for row in asked] == ["Difficult"]
    answer = client_for(kim).get(f"{URL}{Interaction.objects.get().ref}/")
    assert answer.status_code == 403
    assert "Difficult" not in answer.text


def test_analysts_get_codes_and_times_but_no_words(api_client: Program) -> None:
    ref = post(api_client("staff"), sender="+7 916 000", author_name="Ivan").json()["ref"]
    program = api_client("analyst")
    body = program.get(f"{URL}{ref}/").json()
    assert (body["text"], body["author"], body["channel"]) == (None, "", "chat")
    assert "916" not in str(body)
    assert body["thread"] != "t1"
    assert post(program).status_code == 403


# --- Files --------------------------------------------------------------------------------------
PICTURE = b"\x89PNG\r\n\x1a\n" + b"0" * 20


def send_file(program: APIClient, ref: str, name: str, content: bytes) -> Any:
    return program.post(
        f"{URL}{ref}/attachments/", {"file": SimpleUploadedFile(name, content)}, format="multipart"
    )


def test_a_file_is_kept_under_its_ref_and_only_downloaded(
    api_client: Program, stan: User, pat: User, client_for: Callable[[User | None], Client]
) -> None:
    program = api_client("staff")
    ref = post(program).json()["ref"]
    answer = send_file(program, ref, "../../my passport.html", PICTURE)
    assert answer.status_code == 201
    body = answer.json()
    assert (body["name"], body["content_type"]) == ("my passport.html", "image/png")
    kept = Attachment.objects.get()
    assert Path(kept.file.name).name == kept.ref
    assert [one["ref"] for one in program.get(f"{URL}{ref}/").json()["attachments"]] == [kept.ref]

    url = f"/inbox/files/{kept.ref}/"
    download = client_for(stan).get(url)
    assert b"".join(download.streaming_content) == PICTURE  # type: ignore[attr-defined]
    assert download["Content-Disposition"].startswith("attachment")
    assert download["X-Content-Type-Options"] == "nosniff"
    assert client_for(pat).get(url).status_code == 404
    assert client_for(stan).get("/inbox/files/nothing/").status_code == 404


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"MZ\x90\x00" + b"\x00" * 20, "file_not_kept"),
        (b"<html>\x00", "file_not_kept"),
        (b"PK\x03\x04 no archive", "file_not_kept"),
        (PICTURE * 100, "file_too_large"),
    ],
)
def test_files_of_other_kinds_and_large_ones_are_refused(
    content: bytes, code: str, api_client: Program, settings: Any
) -> None:
    settings.ATTACHMENT_MAX_BYTES = 1000
    program = api_client("staff")
    ref = post(program).json()["ref"]
    answer = send_file(program, ref, "a.png", content)
    assert answer.status_code == 400
    assert answer.json()["code"] == code
    assert not Attachment.objects.exists()


def test_a_file_of_nobody_is_not_found(api_client: Program) -> None:
    assert send_file(api_client("staff"), "nothing", "a.png", PICTURE).status_code == 404
