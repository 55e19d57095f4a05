"""``/api/v1/standards/``: standards are read, and followed from outside by the same rules."""

import pytest

from crm.models import Run, Task
from crm.services.playbooks import create_playbook
from tests.cast import ACTOR, NOON, make_customer, make_location
from tests.crm.standards import HOUR, content, make_playbook, make_run, step

URL = "/api/v1/standards/"
RUNS = f"{URL}runs/"

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def post(client, url, data=None, **headers):
    return client.post(url, data or {}, format="json", headers=headers)


def test_it_tells_what_a_standard_says_now(api_client):
    make_playbook(step("Call", guidance={"en": "Softly"}, offset_minutes=2 * HOUR))
    create_playbook(content=content(name="Draft"), happened_at=NOON, actor=ACTOR)
    told = api_client("analyst").get(URL).json()["results"]
    assert [(one["key"], one["version"], len(one["steps"])) for one in told] == [
        ("draft", None, 0),
        ("care", 1, 1),
    ]
    one = api_client("staff").get(f"{URL}care/").json()
    assert one["names"] == {"en": "Care"}
    assert one["steps"] == [
        {
            "position": 1,
            "titles": {"en": "Call"},
            "guidance": {"en": "Softly"},
            "five_p": "processes",
            "role": "staff",
            "is_required": True,
            "offset_minutes": 120,
            "done_when": "ticked",
        }
    ]


def test_a_standard_is_started_once_per_idempotency_key(api_client):
    make_playbook()
    customer = make_customer(external_id="C-1")
    make_location(code="north")
    client = api_client("staff")
    sent = {"standard": "care", "customer": "C-1", "location": "north"}
    first = post(client, RUNS, sent, **{"Idempotency-Key": "k1"})
    again = post(client, RUNS, sent, **{"Idempotency-Key": "k1"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    run = Run.objects.get()
    assert first["Location"] == f"{RUNS}{run.ref}/"
    told = first.json()
    assert (told["customer"], told["location"], told["state"]) == (customer.ref, "north", "open")
    assert [one["state"] for one in told["steps"]] == ["open", "open"]


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"standard": "none", "customer": "C-1"}, "standard"),
        ({"standard": "care", "customer": "none"}, "customer"),
        ({"standard": "care", "customer": "C-1", "location": "none"}, "location"),
        ({"standard": "care", "customer": "C-1", "who": "me"}, "who"),
        ({"customer": "C-1"}, "standard"),
    ],
)
def test_what_can_not_be_started_is_named(api_client, sent, field):
    make_playbook()
    make_customer(external_id="C-1")
    answer = post(api_client("staff"), RUNS, sent)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]
    assert not Run.objects.exists()


def test_steps_are_done_and_skipped_and_the_last_one_completes(api_client):
    run = make_run(step("Ask", done_when="written"), step("Offer", is_required=False))
    client = api_client("staff")
    answer = post(client, f"{RUNS}{run.ref}/steps/1/", {"state": "done"})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["text"])
    answer = post(client, f"{RUNS}{run.ref}/steps/1/", {"state": "done", "text": "Blue"})
    assert (answer.status_code, answer.json()["steps"][0]["text"]) == (200, "Blue")
    answer = post(client, f"{RUNS}{run.ref}/steps/2/", {"state": "skipped"})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["text"])
    answer = post(client, f"{RUNS}{run.ref}/steps/2/", {"state": "skipped", "text": "No"})
    assert answer.json()["state"] == "completed"
    assert [one["state"] for one in answer.json()["steps"]] == ["done", "skipped"]


def test_a_required_step_blocks_completion_through_the_api(api_client):
    run = make_run(step("Must"), step("May", is_required=False))
    for role, refused in (("staff", 409), ("admin", 409)):
        answer = post(api_client(role), f"{RUNS}{run.ref}/complete/", {"reason": "Hurry"})
        assert (answer.status_code, answer.json()["code"]) == (refused, "required_step_open")
    answer = post(
        api_client("staff"), f"{RUNS}{run.ref}/steps/1/", {"state": "skipped", "text": "Hurry"}
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "required_step_skipped")
    run.refresh_from_db()
    assert run.state == "open"
    assert set(run.results.values_list("state", flat=True)) == {"open"}


def test_the_task_api_does_not_open_another_door(api_client):
    run = make_run(step(done_when="written", offset_minutes=HOUR))
    task = Task.objects.get()
    client = api_client("staff")
    for sent in ({"status": "done"}, {"status": "cancelled", "result": "No need"}):
        answer = client.patch(f"/api/v1/tasks/{task.ref}/", sent, format="json")
        assert answer.status_code in (400, 403), answer.content
    run.refresh_from_db()
    task.refresh_from_db()
    assert (run.state, task.status) == ("open", "open")


def test_a_run_is_completed_or_given_up_for_a_reason(api_client):
    client = api_client("manager")
    run = make_run(step("May", is_required=False))
    assert post(client, f"{RUNS}{run.ref}/complete/").status_code == 400
    answer = post(client, f"{RUNS}{run.ref}/complete/", {"reason": "No need"})
    assert (answer.status_code, answer.json()["state"]) == (200, "completed")
    other = make_run()
    assert post(client, f"{RUNS}{other.ref}/give-up/").status_code == 400
    answer = post(client, f"{RUNS}{other.ref}/give-up/", {"reason": "Twice"})
    assert (answer.json()["state"], answer.json()["reason"]) == ("abandoned", "Twice")


def test_runs_are_filtered_and_analysts_read_no_words(api_client):
    first, other = make_run(step("Ask", done_when="written")), make_run()
    client = api_client("staff")
    post(client, f"{RUNS}{first.ref}/steps/1/", {"state": "done", "text": "Private words"})
    by_state = client.get(RUNS, {"state": "completed"}).json()["results"]
    by_customer = client.get(RUNS, {"customer": other.customer.ref}).json()["results"]
    assert [one["ref"] for one in by_state] == [first.ref]
    assert [one["ref"] for one in by_customer] == [other.ref]
    assert "Private words" in client.get(f"{RUNS}{first.ref}/").text
    assert "Private words" not in api_client("analyst").get(RUNS).text
    assert client.get(f"{RUNS}nobodyhasit/").status_code == 404
