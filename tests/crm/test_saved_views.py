"""Saved views: one's own and shared ones, renamed, opened first, deleted and brought back."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import User
from common.errors import InvalidInput, NotFound
from crm.models import SavedView
from crm.selectors.views import list_views
from crm.services.views import ViewNameTaken, change_view, delete_view, restore_view, save_view
from tests.cast import NOON

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
Browser = Callable[[User | None], Client]
URL = "/customers/"


def saved(owner: User, name: str = "Lapsed", query: str = "stage=lost", **more: bool) -> SavedView:
    return save_view(
        owner_id=owner.pk,
        page="customers",
        name=name,
        query=query,
        happened_at=NOON,
        actor=f"user:{owner.pk}",
        **more,
    )


def acting(owner: User) -> dict[str, object]:
    return {"owner_id": owner.pk, "happened_at": NOON, "actor": f"user:{owner.pk}"}


def names(user: User) -> list[str]:
    return [view.name for view in list_views(user_id=user.pk, page="customers")]


def test_a_view_is_ones_own_until_it_is_shared(stan: User, mara: User) -> None:
    view = saved(stan)
    assert (names(stan), names(mara)) == (["Lapsed"], [])
    change_view(ref=view.ref, **acting(stan), is_shared=True)
    assert (names(stan), names(mara)) == (["Lapsed"], ["Lapsed"])


def test_only_its_owner_changes_or_deletes_a_view(stan: User, mara: User) -> None:
    view = saved(stan, is_shared=True)
    with pytest.raises(NotFound):
        change_view(ref=view.ref, **acting(mara), name="Mine")
    with pytest.raises(NotFound):
        delete_view(ref=view.ref, **acting(mara))
    assert names(stan) == ["Lapsed"]


def test_a_name_is_there_once_per_owner_and_never_empty(stan: User, mara: User) -> None:
    view = saved(stan)
    saved(mara)  # another's own name is no double
    for attempt in (
        lambda: saved(stan),
        lambda: change_view(ref=saved(stan, "Other").ref, **acting(stan), name="Lapsed"),
    ):
        with pytest.raises(ViewNameTaken):
            attempt()
    with pytest.raises(InvalidInput):
        change_view(ref=view.ref, **acting(stan), name=" ")
    assert names(stan) == ["Lapsed", "Other"]


def test_the_page_opens_with_the_chosen_view_and_with_one_only(
    stan: User, mara: User, client_for: Browser
) -> None:
    first, second = saved(stan, "A", is_shared=True), saved(stan, "B", "seen=never")
    for view in (first, second):
        change_view(ref=view.ref, **acting(stan), is_default=True)
    assert list(SavedView.objects.filter(is_default=True)) == [second]
    assert client_for(stan).get(URL).url == f"/customers/?seen=never&view={second.ref}"
    assert client_for(mara).get(URL).status_code == 200  # it is Stan's choice, not hers


def test_it_is_saved_from_the_page_without_searched_words_or_place(
    stan: User, client_for: Browser
) -> None:
    client = client_for(stan)
    query = "stage=lost&sort=value&q=Karenin&cursor=abc&view=old"
    answer = client.post("/views/", {"name": "Lapsed", "query": query, "page": "customers"})
    view = SavedView.objects.get()
    assert (view.query, view.is_shared) == ("stage=lost&sort=value", False)
    assert answer.url == f"/customers/?stage=lost&sort=value&view={view.ref}"
    page = client.get(answer.url)
    assert page.context["form"].values["stage"] == ["lost"]
    assert page.context["view"] == view
    client.post("/views/", {"name": "Lapsed", "query": "", "page": "customers"})
    assert "You have a view with this name already." in client.get(f"{URL}?sort=name").text


def test_a_deleted_view_comes_back_as_it_was(stan: User, client_for: Browser) -> None:
    view = saved(stan, is_shared=True)
    client = client_for(stan)
    answer = client.post(f"/views/{view.ref}/delete/")
    assert not SavedView.objects.exists()
    token = re.search(r'name="token"\s+value="([\w-]+)"', client.get(answer.url).text)
    assert token
    client.post("/undo/", {"token": token[1]})
    back = SavedView.objects.get()
    assert (back.ref, back.name, back.query, back.is_shared) == (
        view.ref,
        "Lapsed",
        "stage=lost",
        True,
    )


def test_it_does_not_come_back_over_a_new_one_of_its_name(stan: User) -> None:
    kept = delete_view(ref=saved(stan).ref, **acting(stan))
    new = saved(stan, query="stage=lead")
    with pytest.raises(ViewNameTaken):
        restore_view(kept=kept, happened_at=NOON, actor="x")
    assert SavedView.objects.get() == new


def test_a_strangers_view_is_not_found(stan: User, mara: User, client_for: Browser) -> None:
    view = saved(stan)
    client = client_for(mara)
    assert client.post(f"/views/{view.ref}/", {"name": "Mine"}).status_code == 404
    assert client.post(f"/views/{view.ref}/delete/").status_code == 404
    assert SavedView.objects.get().name == "Lapsed"
