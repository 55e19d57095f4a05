"""Doing something for many customers: what a bar below a list asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import ngettext

from common.errors import DomainError
from common.requests import actor_of
from common.time import now
from common.undo import offer_undo
from crm.forms import BulkForm
from crm.services import bulk_actions


def act_on_many(
    request: HttpRequest, *, find_ids: Callable[[], list[int]], back: str
) -> HttpResponse:
    """Label customers, move them or open a task about each; say what was done, and go back.

    find_ids: whose ids; asked only when the action has what it needs.
    """
    form = BulkForm(request.POST)
    if not form.is_valid():
        for error in form.problems:
            messages.error(request, error)
        return redirect(back)
    try:
        ids = find_ids()
        if not ids:
            raise bulk_actions.NobodyChosen
        _DOINGS[form.cleaned_data["action"]](request, form.cleaned_data, ids)
    except DomainError as error:
        messages.error(request, str(error.message))
    return redirect(back)


def _tag(request: HttpRequest, asked: dict[str, Any], ids: list[int]) -> None:
    tag, changed = bulk_actions.tag_customers(
        customer_ids=ids, name=asked["tag"], happened_at=now(), actor=actor_of(request)
    )
    said = ngettext(
        "%(number)s customer now has the tag “%(tag)s”.",
        "%(number)s customers now have the tag “%(tag)s”.",
        len(changed),
    ) % {"number": len(changed), "tag": tag}
    offer_undo(request, said, "customers.tagged", customer_ids=changed, tag_id=tag.pk)


def _untag(request: HttpRequest, asked: dict[str, Any], ids: list[int]) -> None:
    tag = asked["known_tag"]
    changed = bulk_actions.untag_customers(
        customer_ids=ids, tag_id=tag.pk, happened_at=now(), actor=actor_of(request)
    )
    said = ngettext(
        "%(number)s customer lost the tag “%(tag)s”.",
        "%(number)s customers lost the tag “%(tag)s”.",
        len(changed),
    ) % {"number": len(changed), "tag": tag}
    offer_undo(request, said, "customers.untagged", customer_ids=changed, tag_id=tag.pk)


def _shop(request: HttpRequest, asked: dict[str, Any], ids: list[int]) -> None:
    shop = asked["location"]
    before = bulk_actions.set_shop(
        customer_ids=ids,
        location_id=shop.pk if shop else None,
        happened_at=now(),
        actor=actor_of(request),
    )
    number = sum(map(len, before.values()))
    said = ngettext(
        "The shop of %(number)s customer was changed.",
        "The shop of %(number)s customers was changed.",
        number,
    ) % {"number": number}
    offer_undo(
        request, said, "customers.moved", before=before, location_id=shop.pk if shop else None
    )


def _task(request: HttpRequest, asked: dict[str, Any], ids: list[int]) -> None:
    number = bulk_actions.assign_tasks(
        customer_ids=ids,
        title=asked["title"],
        due_at=asked["due_at"],
        assignee_id=asked["assignee"].pk if asked["assignee"] else None,
        happened_at=now(),
        actor=actor_of(request),
    )
    messages.success(
        request,
        ngettext("%(number)s task was opened.", "%(number)s tasks were opened.", number)
        % {"number": number},
    )


_DOINGS = {"tag": _tag, "untag": _untag, "shop": _shop, "task": _task}
