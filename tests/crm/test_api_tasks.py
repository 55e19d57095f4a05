"""``/api/v1/tasks/``: other systems ask for something to be done, and see what became of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from accounts.models import User
from crm.models import Customer, Task
from crm.services import finish_task, open_task
from tests.cast import NOON, make_customer, make_location

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

URL = "/api/v1/tasks/"
DUE = "2026-03-05T10:00:00Z"


def make_task(**fields: Any) -> Task:
    defaults: dict[str, Any] = {"title": "Call", "due_at": NOON, "happened_at": NOON}
    return open_task(**(defaults | {"actor": "system"} | fields))


def test_a_system_asks_for_something_to_be_done(api_client: Any, stan: User) -> None:
    customer = make_customer(external_id="C-1", location_id=make_location(code="north").pk)
    answer = api_client("staff").post(
        URL,
        {
            "title": "Call back",
            "due_at": DUE,
            "customer": "C-1",
            "assignee": stan.email,
            "remind_minutes_before": 30,
        },
        format="json",
    )
    assert answer.status_code == 201, answer.json()
    told = answer.json()
    assert answer["Location"] == f"{URL}{told['ref']}/"
    assert told | {"ref": "", "created_at": ""} == {
        "ref": "",
        "title": "Call back",
        "text": "",
        "customer": customer.ref,
        "customer_external_id": "C-1",
        "due_at": DUE,
        "remind_at": "2026-03-05T09:30:00Z",
        "assignee": stan.email,
        "location": "north",
        "origin": "api",
        "subject_kind": "",
        "subject_ref": "",
        "status": "open",
        "result": "",
        "created_at": "",
        "finished_at": None,
    }
    assert Task.objects.get().created_by.startswith("key:")


@pytest.mark.parametrize(
    ("fields", "blamed"),
    [
        ({"title": ""}, "title"),
        ({"due_at": "tomorrow"}, "due_at"),
        ({"customer": "nobody"}, "customer"),
        ({"assignee": "nobody@keepwell.example"}, "assignee"),
        ({"assignee": "ana@keepwell.example"}, "assignee"),
        ({"location": "nowhere"}, "location"),
        ({"remind_minutes_before": -1}, "remind_minutes_before"),
        ({"origin": "complaint"}, "origin"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_field(
    api_client: Any, ana: User, fields: dict[str, Any], blamed: str
) -> None:
    given = {"title": "Call", "due_at": DUE} | fields
    answer = api_client("staff").post(URL, given, format="json")
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [blamed]
    assert not Task.objects.exists()


def test_the_same_key_asks_once(api_client: Any) -> None:
    client = api_client("staff")
    given = {"title": "Call", "due_at": DUE}
    answers = [
        client.post(URL, given, format="json", HTTP_IDEMPOTENCY_KEY="k1").json() for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert Task.objects.count() == 1


def test_the_list_is_filtered(api_client: Any, stan: User) -> None:
    person, record = make_customer(external_id="C-1"), make_customer()
    Customer.objects.filter(pk=record.pk).update(person=person)
    mine = make_task(title="mine", assignee_id=stan.pk)
    theirs = make_task(title="theirs", customer_id=record.pk, due_at=NOON + timedelta(days=2))
    done = make_task(title="done", origin="cadence")
    finish_task(task_id=done.pk, happened_at=NOON, actor="system")
    client = api_client("staff")

    def titles(**query: str) -> set[str]:
        answer = client.get(URL, query)
        assert answer.status_code == 200, answer.json()
        return {row["title"] for row in answer.json()["results"]}

    assert titles() == {"mine", "theirs", "done"}
    assert titles(assignee=stan.email) == {mine.title}
    assert titles(is_assigned="false") == {"theirs", "done"}
    assert titles(customer="C-1") == {theirs.title}
    assert titles(customer="stranger") == set()
    assert titles(status="open") == {"mine", "theirs"}
    assert titles(origin="cadence") == {"done"}
    assert titles(due_since="2026-03-03T00:00:00Z") == {"theirs"}
    assert titles(due_until="2026-03-03T00:00:00Z") == {"mine", "done"}
    soonest_last = client.get(URL, {"ordering": "-due_at"}).json()["results"]
    assert soonest_last[0]["title"] == "theirs"


def test_the_list_costs_the_same_for_many(
    api_client: Any, stan: User, django_assert_max_num_queries: Any
) -> None:
    client = api_client("staff")
    for _ in range(20):
        make_task(customer_id=make_customer().pk, assignee_id=stan.pk)
    with django_assert_max_num_queries(6):
        assert len(client.get(URL).json()["results"]) == 20


def test_a_patch_gives_puts_off_and_finishes_at_once(api_client: Any, stan: User) -> None:
    task = make_task()
    client, url = api_client("staff"), f"{URL}{task.ref}/"
    told = client.patch(url, {"assignee": stan.email, "due_at": DUE}, format="json").json()
    assert (told["assignee"], told["due_at"], told["remind_at"]) == (stan.email, DUE, DUE)
    told = client.patch(url, {"status": "done", "result": "Sent."}, format="json").json()
    assert (told["status"], told["result"]) == ("done", "Sent.")
    told = client.patch(
        url, {"status": "open", "title": "Call again", "assignee": None}, format="json"
    ).json()
    assert (told["status"], told["title"], told["assignee"]) == ("open", "Call again", None)
    assert client.get(url).json() == told


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"title": "New"}, 409),
        ({"status": "done"}, 409),
        ({"title": "New", "status": "cancelled"}, 409),
        ({"status": "closed"}, 400),
        ({"result": "Sent."}, 400),
    ],
)
def test_a_finished_task_stays_as_it_is(
    api_client: Any, fields: dict[str, Any], status: int
) -> None:
    task = make_task()
    finish_task(task_id=task.pk, happened_at=NOON, actor="system")
    answer = api_client("staff").patch(f"{URL}{task.ref}/", fields, format="json")
    assert answer.status_code == status
    before = (task.title, "done", "")
    task.refresh_from_db()
    assert (task.title, task.status, task.result) == before


def test_analysts_read_no_words_and_write_nothing(api_client: Any) -> None:
    task = make_task(title="Secret", text="Secret")
    client = api_client("analyst")
    assert "Secret" not in client.get(URL).text
    assert client.get(f"{URL}{task.ref}/").json()["title"] == ""
    assert client.patch(f"{URL}{task.ref}/", {"title": "x"}, format="json").status_code == 403
    assert client.get(f"{URL}nothing/").status_code == 404
