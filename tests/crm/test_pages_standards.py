"""Pages of service standards: written, followed, counted and exported without a script."""

import io
import zipfile
from datetime import timedelta

import pytest
from django.core.cache import cache

from common.time import now
from crm.models import Playbook, Run, Task
from crm.services.notes import record_note
from crm.services.playbooks import switch_playbook
from crm.services.run_steps import do_step
from crm.standards.content import Content
from tests.budget import assert_query_budget
from tests.cast import ACTOR, NOON, make_customer
from tests.crm.standards import HOUR, content, make_playbook, make_run, publish_again, step

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

LIST = "/standards/"
RUNS = "/standards/runs/"


def sent_step(number, title, **fields):
    """A step as the builder's form sends it."""
    fields = {
        "title_en": title,
        "value": "2",
        "unit": "hours",
        "role": "staff",
        "five_p": "people",
        "done_when": "ticked",
        "is_required": "on",
    } | fields
    return {f"step{number}-{name}": value for name, value in fields.items()}


def sent(*titles, action="save", **fields):
    """The builder's form with a step per title."""
    form = {"name_en": "Welcome", "steps": str(len(titles)), "action": action} | fields
    for number, title in enumerate(titles):
        form |= sent_step(number, title)
    return form


def draft_titles(playbook):
    playbook.refresh_from_db()
    return [one.titles.get("en", "") for one in Content.from_document(playbook.draft).steps]


# --- Writing ------------------------------------------------------------------------------------
def test_an_empty_list_offers_the_ready_standards_to_managers_only(client_for, mara, stan):
    assert "/standards/ready/" not in client_for(stan).get(LIST).text
    client = client_for(mara)
    assert "/standards/ready/" in client.get(LIST).text
    answer = client.post("/standards/ready/", follow=True)
    assert {"New customer", "Complaint", "Wants to leave"} <= {
        one.name for one in answer.context["playbooks"]
    }


@pytest.mark.parametrize(
    ("language", "name"),
    [("en", "Wants to leave"), ("ru", "Хочет уйти"), ("zh-hans", "客户想离开")],
)
def test_names_stand_in_the_readers_language(client_for, mara, language, name):
    client = client_for(mara)
    client.post("/standards/ready/")
    mara.language = language
    mara.save(update_fields=["language"])
    client.cookies["keepwell_language"] = client.cookies["django_language"] = language
    answer = client.get(LIST, headers={"accept-language": language})
    assert name in answer.text


def test_a_standard_is_built_step_by_step_and_published(client_for, mara):
    client = client_for(mara)
    answer = client.post("/standards/new/")
    playbook = Playbook.objects.get()
    address = answer["Location"]
    assert address == f"/standards/{playbook.ref}/edit/"

    answer = client.post(address, sent("Call", action="add"))
    assert answer["Location"] == f"{address}#step-2"
    assert draft_titles(playbook) == ["Call", ""]
    answer = client.post(address, sent("Call", "Write", action="up:1"))
    assert answer["Location"] == f"{address}#step-1"
    assert draft_titles(playbook) == ["Write", "Call"]
    client.post(address, sent("Write", "Call", action="down:0"))
    assert draft_titles(playbook) == ["Call", "Write"]
    client.post(address, sent("Call", "Write", "Visit", action="remove:1"))
    assert draft_titles(playbook) == ["Call", "Visit"]
    answer = client.post(address, sent("Call", "Visit", action="preview"), follow=True)
    assert "Visit" in answer.text
    answer = client.post(
        address, sent("Call", "Visit", action="publish", trigger="customer.recorded")
    )

    playbook.refresh_from_db()
    assert answer["Location"] == f"/standards/{playbook.ref}/"
    version = playbook.current
    assert (version.number, version.author) == (1, f"user:{mara.pk}")
    assert version.trigger == "customer.recorded"
    steps = version.steps.order_by("position").values_list("titles", "offset_minutes", "five_p")
    assert list(steps) == [({"en": "Call"}, 120, "people"), ({"en": "Visit"}, 120, "people")]


def test_texts_in_three_languages_are_kept(client_for, mara):
    client = client_for(mara)
    client.post("/standards/new/")
    playbook = Playbook.objects.get()
    form = sent("Call") | {
        "name_ru": "Приветствие",
        "name_zh_hans": "欢迎",
        "step0-title_ru": "Позвоните",
        "step0-guidance_zh_hans": "亲切",
    }
    client.post(f"/standards/{playbook.ref}/edit/", form)
    playbook.refresh_from_db()
    draft = Content.from_document(playbook.draft)
    assert draft.names == {"en": "Welcome", "ru": "Приветствие", "zh-hans": "欢迎"}
    assert draft.steps[0].titles == {"en": "Call", "ru": "Позвоните"}
    assert draft.steps[0].guidance == {"zh-hans": "亲切"}


@pytest.mark.parametrize(
    ("field", "value"),
    [("value", "0"), ("value", "x"), ("unit", "years"), ("role", "customer"), ("value", "99999")],
)
def test_what_can_not_be_used_is_named_beside_the_field_and_nothing_typed_is_lost(
    client_for, mara, field, value
):
    client = client_for(mara)
    client.post("/standards/new/")
    playbook = Playbook.objects.get()
    form = sent("Call", "Write it down", action="publish") | {f"step1-{field}": value}
    answer = client.post(f"/standards/{playbook.ref}/edit/", form)
    assert answer.status_code == 422
    assert list(answer.context["form"].steps[1].errors) == [field]
    assert "Write it down" in answer.text
    playbook.refresh_from_db()
    assert playbook.current is None


def test_publishing_says_what_is_missing(client_for, mara):
    client = client_for(mara)
    client.post("/standards/new/")
    playbook = Playbook.objects.get()
    answer = client.post(f"/standards/{playbook.ref}/edit/", sent("", action="publish", name_en=""))
    assert answer.status_code == 422
    assert len(answer.context["problems"]) == 2
    playbook.refresh_from_db()
    assert playbook.current is None


def test_a_colleague_who_saved_meanwhile_is_not_written_over(client_for, mara, alice):
    playbook = make_playbook()
    address = f"/standards/{playbook.ref}/edit/"
    mine, hers = client_for(mara), client_for(alice)
    hers.post(address, sent("Hers"))
    opened_at = mine.get(address).context["opened_at"]
    hers.post(address, sent("Hers again", draft_at=opened_at))
    answer = mine.post(address, sent("Mine", draft_at=opened_at))
    assert answer.status_code == 422
    assert "Mine" in answer.text
    assert draft_titles(playbook) == ["Hers again"]


def test_looking_at_the_builder_writes_nothing(client_for, mara):
    playbook = make_playbook()
    assert client_for(mara).get(f"/standards/{playbook.ref}/edit/").status_code == 200
    playbook.refresh_from_db()
    assert playbook.draft is None


def test_a_version_is_compared_with_the_one_before(client_for, ana):
    playbook = publish_again(make_playbook(step("Call")), content(step("Call twice")))
    answer = client_for(ana).get(f"/standards/{playbook.ref}/versions/2/")
    [change] = answer.context["comparison"].steps
    assert [(one.before, one.after) for one in change.differences] == [("Call", "Call twice")]
    assert client_for(ana).get(f"/standards/{playbook.ref}/versions/1/").status_code == 200
    assert client_for(ana).get(f"/standards/{playbook.ref}/versions/3/").status_code == 404


def test_a_standard_is_switched_off_and_on(client_for, mara, stan):
    playbook = make_playbook()
    client_for(mara).post(f"/standards/{playbook.ref}/switch/", {"is_active": "no"})
    playbook.refresh_from_db()
    assert playbook.is_active is False
    assert f"/standards/{playbook.ref}/start/" not in client_for(stan).get(LIST + playbook.ref).text
    client_for(mara).post(f"/standards/{playbook.ref}/switch/", {"is_active": "yes"})
    playbook.refresh_from_db()
    assert playbook.is_active is True


# --- Following ----------------------------------------------------------------------------------
def test_a_colleague_starts_a_standard_from_the_customers_page(client_for, stan):
    customer, playbook = make_customer(), make_playbook()
    client = client_for(stan)
    tab = client.get(f"/customers/{customer.ref}/standards/").text
    address = f"/standards/{playbook.ref}/start/?customer={customer.ref}"
    assert address in tab
    form = client.get(address).context["form"]
    answer = client.post(address, form.initial)
    run = Run.objects.get()
    assert answer["Location"] == f"{RUNS}{run.ref}/"
    assert (run.customer, run.owner, run.started_by) == (customer, stan, f"user:{stan.pk}")
    assert f"{RUNS}{run.ref}/" in client.get(f"/customers/{customer.ref}/standards/").text


def test_starting_for_nobody_or_what_is_switched_off_is_refused_on_the_form(client_for, stan):
    playbook, customer = make_playbook(), make_customer()
    client, address = client_for(stan), f"/standards/{playbook.ref}/start/"
    answer = client.post(address, {"customer": "nobody"})
    assert (answer.status_code, list(answer.context["form"].errors)) == (422, ["customer"])
    switch_playbook(playbook_id=playbook.pk, is_active=False, happened_at=NOON, actor=ACTOR)
    answer = client.post(address, {"customer": customer.ref})
    assert (answer.status_code, list(answer.context["form"].errors)) == (422, ["__all__"])
    assert not Run.objects.exists()


def test_a_step_is_done_and_taken_back_within_ten_seconds(client_for, stan):
    run = make_run(step("Call"), step("Write"))
    client = client_for(stan)
    answer = client.post(f"{RUNS}{run.ref}/steps/1/", {"decision": "done"}, follow=True)
    assert [one.result.state for one in (row["one"] for row in answer.context["rows"])] == [
        "done",
        "open",
    ]
    [message] = answer.context["messages"]
    token = next(tag for tag in message.extra_tags.split() if tag.startswith("undo:"))
    client.post("/undo/", {"token": token.removeprefix("undo:"), "next": "/"})
    assert set(run.results.values_list("state", flat=True)) == {"open"}
    cache.clear()


def test_what_is_refused_stands_beside_the_step_with_what_was_typed(client_for, stan):
    run = make_run(step("Ask", done_when="written"), step("Note", done_when="note"))
    client = client_for(stan)
    for position, sent_fields in (
        (1, {"decision": "done", "text": " "}),
        (1, {"decision": "skipped", "text": "No time for it"}),
        (2, {"decision": "done"}),
        (2, {"decision": "burnt"}),
    ):
        answer = client.post(f"{RUNS}{run.ref}/steps/{position}/", sent_fields)
        assert answer.status_code == 422
        assert [row["error"] != "" for row in answer.context["rows"]] == [
            position == 1,
            position == 2,
        ]
    assert set(run.results.values_list("state", flat=True)) == {"open"}
    record_note(
        customer_id=run.customer_id, kind="need", text="Tea", happened_at=now(), actor=ACTOR
    )
    client.post(f"{RUNS}{run.ref}/steps/2/", {"decision": "done"})
    assert run.results.get(step__position=2).evidence_kind == "note"


def test_a_task_that_needs_an_answer_first_leads_to_its_step_and_stays_open(client_for, stan):
    run = make_run(step("Ask", done_when="written"))
    task = Task.objects.get(customer_id=run.customer_id)
    client = client_for(stan)
    answer = client.post(f"/tasks/{task.ref}/finish/", {"next": "/tasks/"}, follow=True)
    assert answer.redirect_chain == [(f"{RUNS}{run.ref}/", 302)]
    assert "Nothing was changed: Write down the answer." in answer.text
    client.post("/tasks/", {"task": [task.ref], "what": "done"})
    task.refresh_from_db()
    assert task.status == "open"


def test_no_page_completes_a_run_past_a_required_step(client_for, stan, alice):
    """The run's own page, the bulk bar of the list and the task's page."""
    run = make_run(step("Must", done_when="written", offset_minutes=HOUR))
    other = make_run(step("May", is_required=False))
    task = Task.objects.get(subject_ref=run.ref)
    client = client_for(alice)
    answer = client.post(f"{RUNS}{run.ref}/complete/", {"reason": "Hurry"})
    assert (answer.status_code, "complete" in answer.context["errors"]) == (422, True)
    refs = [run.ref, other.ref]
    answer = client.post(f"{RUNS}complete/", {"run": refs, "reason": "Hurry"}, follow=True)
    assert [message.level_tag for message in answer.context["messages"]] == ["success", "error"]
    for browser, address, form in (
        (client, f"/tasks/{task.ref}/finish/", {}),
        (client_for(stan), "/tasks/", {"task": [task.ref], "what": "done"}),
    ):
        answer = browser.post(address, form, follow=True)
        assert [str(told) for told in answer.context["messages"]] == [
            "Nothing was changed: Write down the answer."
        ]

    run.refresh_from_db()
    task.refresh_from_db()
    other.refresh_from_db()
    assert (run.state, task.status, other.state) == ("open", "open", "completed")
    assert run.results.get().state == "open"


def test_a_run_is_taken_over_and_given_up_for_a_reason(client_for, stan):
    run = make_run()
    client = client_for(stan)
    client.post(f"{RUNS}{run.ref}/take/")
    run.refresh_from_db()
    assert run.owner == stan
    answer = client.post(f"{RUNS}{run.ref}/give-up/", {"reason": ""})
    assert (answer.status_code, "give_up" in answer.context["errors"]) == (422, True)
    client.post(f"{RUNS}{run.ref}/give-up/", {"reason": "Twice"})
    run.refresh_from_db()
    assert (run.state, run.ended_why) == ("abandoned", "Twice")
    assert client.post(f"{RUNS}{run.ref}/take/", follow=True).status_code == 200


def test_the_list_shows_mine_late_open_and_ended(client_for, stan):
    late = make_run(at=now() - timedelta(days=3))
    mine = make_run(owner_id=stan.pk)
    ended = make_run(step("A"))
    do_step(run_id=ended.pk, position=1, role="staff", happened_at=now(), actor=ACTOR)
    client = client_for(stan)

    def shown(view):
        rows = client.get(RUNS, {"view": view} if view else {}).context["rows"]
        return {row["run"].ref for row in rows}

    assert shown("") == shown("mine") == {mine.ref}
    assert shown("late") == {late.ref}
    assert shown("open") == {late.ref, mine.ref}
    assert shown("ended") == {ended.ref}
    rows = client.get(RUNS, {"view": "open", "standard": mine.version.playbook.ref}).context["rows"]
    assert [row["run"].ref for row in rows] == [mine.ref]


def test_an_analyst_reads_no_words_about_customers(client_for, ana, stan):
    run = make_run(step("Ask", done_when="written"), step("B"))
    client_for(stan).post(
        f"{RUNS}{run.ref}/steps/1/", {"decision": "done", "text": "Private words"}
    )
    assert "Private words" in client_for(stan).get(f"{RUNS}{run.ref}/").text
    assert "Private words" not in client_for(ana).get(f"{RUNS}{run.ref}/").text


def test_a_run_page_of_every_kind_of_evidence_keeps_the_query_budget(client_for, stan):
    kinds = ("contact", "note", "task", "offer", "written", "ticked")
    run = make_run(*[step(kind, done_when=kind) for kind in kinds], owner_id=stan.pk)
    client_for(stan).post(f"{RUNS}{run.ref}/steps/6/", {"decision": "done"})
    assert_query_budget(client_for(stan), f"{RUNS}{run.ref}/")


# --- Figures ------------------------------------------------------------------------------------
def test_the_scorecard_shows_counts_and_no_data(client_for, ana):
    client = client_for(ana)
    assert "No data for this period" in client.get("/standards/scorecard/").text
    make_run(step("Call"))
    answer = client.get("/standards/scorecard/")
    assert answer.context["card"].total.started == 1
    assert "no data" in answer.text  # nothing was due yet
    nonsense = {"since": "2026-05-02", "until": "2026-05-01", "standard": "none"}
    assert client.get("/standards/scorecard/", nonsense).status_code == 200


def test_the_scorecard_comes_as_a_file_that_runs_no_formula(client_for, ana):
    make_run(playbook=make_playbook(step("=HYPERLINK(1)"), name="=1+1"))
    answer = client_for(ana).get("/standards/scorecard/file/")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert lines[0].startswith("dimension,name,started,completed")
    assert lines[1] == "total,,1,0,0,0,0,0,,"
    assert lines[2].startswith("standard,'=1+1,1,0")


def test_a_manager_gets_the_auditors_file(client_for, mara):
    run = make_run()
    client = client_for(mara)
    assert client.get("/standards/audit/").status_code == 200
    answer = client.post("/standards/audit/", {"with_answers": "yes"})
    archive = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
    assert run.ref in archive.read("runs.csv").decode()
    answer = client.post("/standards/audit/", {"since": "2026-05-02", "until": "2026-05-01"})
    assert (answer.status_code, list(answer.context["form"].errors)) == (422, ["until"])
