"""The pages of tasks: lists, one task, many at once, a customer's tab, the home card."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from accounts.models import User
from common.time import now
from crm.models import ContactCadence, LocationMembership, Task
from crm.services import finish_task, open_task
from crm.services.cadences import set_cadence
from tests.budget import assert_query_budget
from tests.cast import make_customer, make_location
from tests.crm.test_cadences import make_contact

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

DAY = timedelta(days=1)


def make_task(title: str = "Call back", **fields: Any) -> Task:
    """A task due tomorrow."""
    moment = now()
    defaults: dict[str, Any] = {"due_at": moment + DAY, "happened_at": moment, "actor": "system"}
    return open_task(title=title, **(defaults | fields))


def ticked(*tasks: Task, **fields: Any) -> dict[str, Any]:
    return {"task": [task.ref for task in tasks], **fields}


def test_a_task_is_set_from_a_customers_page_and_leads_back_there(
    client_for: Any, stan: User, mara: User
) -> None:
    customer = make_customer(name="Kim")
    client = client_for(stan)
    back = f"/customers/{customer.ref}/tasks/"
    page = client.get(f"/tasks/new/?customer={customer.ref}&next={back}")
    assert f'value="{customer.ref}"' in page.text
    answer = client.post(
        "/tasks/new/",
        {
            "title": "Send the parts",
            "customer": customer.ref,
            "due_at": "2031-05-02T10:00",
            "remind": "60",
            "assignee": mara.email,
            "text": "The blue ones.",
            "next": back,
        },
    )
    assert (answer.status_code, answer["Location"]) == (302, back)
    task = Task.objects.get()
    assert (task.title, task.customer, task.assignee) == ("Send the parts", customer, mara)
    assert task.created_by == f"user:{stan.pk}"
    assert task.remind_at == task.due_at - timedelta(hours=1)
    tab = client.get(back, headers={"HX-Request": "true"}).text
    assert "Send the parts" in tab
    assert "Mara" in tab


def test_what_is_missing_is_said_at_its_field_and_nothing_is_lost(
    client_for: Any, stan: User
) -> None:
    answer = client_for(stan).post("/tasks/new/", {"title": "", "text": "Keep me", "remind": "0"})
    assert answer.status_code == 422
    assert "Keep me" in answer.text
    assert set(answer.context["form"].errors) == {"title", "due_at"}
    assert not Task.objects.exists()


def test_the_next_page_is_one_of_ours(client_for: Any, stan: User) -> None:
    task = make_task()
    answer = client_for(stan).post(
        f"/tasks/{task.ref}/finish/", {"next": "https://elsewhere.example/"}
    )
    assert answer["Location"] == f"/tasks/{task.ref}/"


def test_each_tab_of_the_list_opens_with_its_tasks(client_for: Any, stan: User, mara: User) -> None:
    shop = make_location()
    LocationMembership.objects.create(user=stan, location=shop)
    make_task("Mine", assignee_id=stan.pk)
    make_task("Marasown", assignee_id=mara.pk, location_id=shop.pk)
    make_task("Nobodys", location_id=shop.pk, due_at=now() - DAY)
    finish_task(task_id=make_task("Over").pk, happened_at=now(), actor="system")
    client = client_for(stan)
    shown = {
        scope: {
            title
            for title in ("Mine", "Marasown", "Nobodys", "Over")
            if f"{title}\n" in client.get(f"/tasks/?show={scope}").text
        }
        for scope in ("mine", "team", "unassigned", "overdue", "done", "nonsense")
    }
    assert shown == {
        "mine": {"Mine"},
        "team": {"Marasown", "Nobodys"},
        "unassigned": {"Nobodys"},
        "overdue": {"Nobodys"},
        "done": {"Over"},
        "nonsense": {"Mine"},
    }
    filtered = client.get(f"/tasks/?show=team&assignee={mara.email}&origin=manual")
    assert [task.title for task in filtered.context["tasks"]] == ["Marasown"]


def test_the_lists_cost_the_same_however_long_they_are(client_for: Any, mara: User) -> None:
    shop = make_location()
    for number in range(60):
        customer = make_customer(location_id=shop.pk)
        make_task(f"Task {number}", customer_id=customer.pk, assignee_id=mara.pk)
    client = client_for(mara)
    page: Any = assert_query_budget(client, "/tasks/")
    assert len(page.context["tasks"]) == 50
    second: Any = assert_query_budget(client, page.context["next_url"])
    assert len(second.context["tasks"]) == 10
    assert_query_budget(client, "/tasks/?show=team")
    assert_query_budget(client, "/")


def test_done_from_the_list_and_taken_back_within_ten_seconds(client_for: Any, stan: User) -> None:
    task = make_task(assignee_id=stan.pk)
    client = client_for(stan)
    page = client.post(f"/tasks/{task.ref}/finish/", {"next": "/tasks/"}, follow=True)
    task.refresh_from_db()
    assert (task.status, task.finished_by) == ("done", f"user:{stan.pk}")
    [message] = page.context["messages"]
    client.post("/undo/", {"token": message.extra_tags.removeprefix("undo:"), "next": "/tasks/"})
    task.refresh_from_db()
    assert (task.status, task.finished_at) == ("open", None)


def test_the_page_of_a_task_finishes_puts_off_gives_and_reopens_it(
    client_for: Any, stan: User
) -> None:
    task = make_task(text="Ask for Ann.", actor=f"user:{stan.pk}")
    client, url = client_for(stan), f"/tasks/{task.ref}/"
    page = client.get(url).text
    assert "Ask for Ann." in page
    assert "Stan" in page

    client.post(f"{url}take/")
    due_at = task.due_at
    client.post(f"{url}due/", {"days": "7"})
    task.refresh_from_db()
    assert task.assignee == stan
    assert task.due_at.date() == (now() + 7 * DAY).date()
    assert (task.due_at - due_at) % DAY == timedelta(0)  # the same hour of another day

    client.post(f"{url}due/", {"due_at": "2031-01-02T08:30"})
    task.refresh_from_db()
    assert task.due_at.year == 2031
    assert client.post(f"{url}due/", {}).status_code == 422

    client.post(f"{url}finish/", {"outcome": "not_needed", "result": "She called."})
    task.refresh_from_db()
    assert (task.status, task.result) == ("cancelled", "She called.")
    again = client.post(f"{url}finish/", follow=True)
    assert "finished already" in again.text
    client.post(f"{url}reopen/")
    task.refresh_from_db()
    assert task.status == "open"


def test_a_task_leads_to_the_conversation_it_came_from(client_for: Any, stan: User) -> None:
    contact = make_contact(make_customer())
    task = make_task(origin="contact", interaction_id=contact.pk)
    page = client_for(stan).get(f"/tasks/{task.ref}/").text
    assert "From a contact" in page
    assert f'href="/inbox/{contact.conversation.ref}/"' in page


def test_changing_a_task_keeps_what_is_not_changed(client_for: Any, stan: User) -> None:
    customer = make_customer()
    task = make_task(
        customer_id=customer.pk, assignee_id=stan.pk, remind_before=timedelta(minutes=37)
    )
    client, url = client_for(stan), f"/tasks/{task.ref}/edit/"
    form = client.get(url).context["form"]
    fields = {name: form[name].value() or "" for name in form.fields} | {"title": "Call tonight"}
    assert client.post(url, fields).status_code == 302
    before = task
    task = Task.objects.get()
    assert task.title == "Call tonight"
    assert (task.customer, task.assignee) == (customer, stan)
    assert task.due_at == before.due_at.replace(second=0, microsecond=0)
    assert task.remind_at == task.due_at - timedelta(minutes=37)


def test_many_at_once_are_done_given_away_and_put_off(
    client_for: Any, stan: User, mara: User
) -> None:
    one, two, three = make_task(), make_task(), make_task()
    client = client_for(mara)
    url = "/tasks/?show=team"
    client.post(url, ticked(one, two, what="assign", assignee=stan.email))
    client.post(url, ticked(one, two, what="move", due_at="2031-01-02T08:30"))
    client.post(url, ticked(one, what="done"))
    rows = Task.objects.order_by("pk").values_list("status", "assignee", "due_at__year")
    assert list(rows) == [
        ("done", stan.pk, 2031),
        ("open", stan.pk, 2031),
        ("open", None, three.due_at.year),
    ]


def test_a_bulk_change_that_lacks_something_says_so_and_keeps_the_ticks(
    client_for: Any, stan: User
) -> None:
    task = make_task(assignee_id=stan.pk)
    client = client_for(stan)
    nothing = client.post("/tasks/?show=mine", {"what": "done"})
    assert (nothing.status_code, "Tick at least one task." in nothing.text) == (422, True)
    no_time = client.post("/tasks/?show=mine", ticked(task, what="move"))
    assert (no_time.status_code, "Say until when." in no_time.text) == (422, True)
    assert "checked" in no_time.text
    task.refresh_from_db()
    assert task.status == "open"


def test_of_the_ticked_one_that_is_finished_meanwhile_stops_all(
    client_for: Any, stan: User
) -> None:
    done, still_open = make_task(assignee_id=stan.pk), make_task(assignee_id=stan.pk)
    finish_task(task_id=done.pk, happened_at=now(), actor="system")
    page = client_for(stan).post("/tasks/", ticked(done, still_open, what="done"), follow=True)
    assert "finished already" in page.text
    still_open.refresh_from_db()
    assert still_open.status == "open"


def test_take_next_opens_what_is_due_first(client_for: Any, stan: User) -> None:
    client = client_for(stan)
    assert client.post("/tasks/next/")["Location"] == "/tasks/"
    task = make_task()
    assert client.post("/tasks/next/")["Location"] == f"/tasks/{task.ref}/"
    task.refresh_from_db()
    assert task.assignee == stan


def test_the_home_page_shows_my_queue_by_due_time(client_for: Any, stan: User) -> None:
    make_task("Later", assignee_id=stan.pk, due_at=now() + 2 * DAY)
    make_task("Sooner", assignee_id=stan.pk)
    make_task("Nobodys")
    page = client_for(stan).get("/").text
    assert 0 < page.index("Sooner") < page.index("Later")
    assert "Nobodys" not in page
    assert "1 task has nobody yet" in page
    assert "Take next" in page


def test_an_analyst_sees_that_something_is_to_be_done_but_no_words(
    client_for: Any, ana: User
) -> None:
    customer = make_customer()
    task = make_task("Secret words", customer_id=customer.pk, text="Her illness")
    finish_task(task_id=task.pk, result="Private", happened_at=now(), actor="system")
    make_task("Secret words", customer_id=customer.pk)
    client = client_for(ana)
    for url in (
        "/tasks/?show=team",
        "/tasks/?show=done",
        f"/tasks/{task.ref}/",
        f"/customers/{customer.ref}/tasks/",
    ):
        page = client.get(url)
        assert page.status_code == 200
        for word in ("Secret", "illness", "Private"):
            assert word not in page.text, url
    assert client.post("/tasks/", ticked(task, what="done")).status_code == 403


def test_the_tab_of_a_customer_agrees_on_regular_contact_and_ends_it(
    client_for: Any, stan: User
) -> None:
    customer = make_customer()
    client, tab = client_for(stan), f"/customers/{customer.ref}/tasks/"
    url = f"/customers/{customer.ref}/cadence/"
    assert_query_budget(client, tab)
    assert "Nobody is asked to get in touch regularly." in client.get(tab).text

    refused = client.post(url, {"every_days": "0"})
    assert refused.status_code == 422
    assert not ContactCadence.objects.exists()

    answer = client.post(url, {"every_days": "14", "assignee": stan.email})
    assert answer["Location"] == tab
    cadence = ContactCadence.objects.get()
    assert (cadence.customer, cadence.every_days, cadence.assignee) == (customer, 14, stan)
    assert "Every 14 days." in client.get(tab).text

    client.post(url, {"end": "1"})
    assert not ContactCadence.objects.exists()


def test_the_tab_has_what_was_done_with_its_result(client_for: Any, stan: User) -> None:
    customer = make_customer()
    for number in range(30):
        task = make_task(f"Old {number}", customer_id=customer.pk)
        finish_task(task_id=task.pk, result="Fine", happened_at=now(), actor="system")
    set_cadence(customer_id=customer.pk, every_days=7, happened_at=now(), actor="system")
    page: Any = assert_query_budget(client_for(stan), f"/customers/{customer.ref}/tasks/")
    assert len(page.context["past_tasks"]) == 20
    assert page.context["next_url"]
    assert "Fine" in page.text
