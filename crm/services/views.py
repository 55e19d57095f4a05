"""Saved views: filters, columns and order of a list under a name, one's own or shared."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, InvalidInput, NotFound
from common.services import record_event
from common.validators import clean_line
from crm.models import SavedView
from crm.services.uniqueness import refusing_doubles

LONGEST_QUERY = 2000
MOST_VIEWS = 50  # per person and page: more are not found again


class ViewNameTaken(Conflict):
    """One of one's own views of this page has the name."""

    code = "view_name_taken"
    message = _("You have a view with this name already. Choose another name.")


class TooManyViews(Conflict):
    """Nobody finds anything among so many."""

    code = "too_many_views"
    message = _("You have fifty views already. Delete one first.")


@transaction.atomic
def save_view(
    *,
    owner_id: int,
    page: str,
    name: str,
    query: str,
    happened_at: datetime,
    actor: str,
    is_shared: bool = False,
) -> SavedView:
    """Return a new view of a page.

    query: the page's own query string, without a place in the list.
    is_shared: colleagues see it too; only its owner changes it.

    :raises ViewNameTaken: the owner has one of this name on this page; nothing is written.
    :raises InvalidInput: no name, or filters that are too long to keep; nothing is written.
    """
    clean = _named(name)
    if len(query) > LONGEST_QUERY:
        raise InvalidInput(_("These filters are too long to be saved."))
    present = SavedView.objects.filter(owner_id=owner_id, page=page)
    _refuse_taken(owner_id, page, clean)
    if present.count() >= MOST_VIEWS:
        raise TooManyViews
    with refusing_doubles(lambda: _refuse_taken(owner_id, page, clean)):
        view = SavedView.objects.create(
            owner_id=owner_id,
            page=page,
            name=clean,
            query=query,
            is_shared=is_shared,
            created_at=happened_at,
        )
    _record(view, "view.saved", happened_at, actor)
    return view


@transaction.atomic
def change_view(
    *, ref: str, owner_id: int, happened_at: datetime, actor: str, **changes: Any
) -> SavedView:
    """Change a view's ``name``, ``query``, ``is_shared`` or ``is_default`` and return it.

    is_default: the page opens with it for its owner; the one before no longer does.

    :raises NotFound: there is none, or it is somebody else's.
    :raises ViewNameTaken: nothing is written.
    """
    if unknown := changes.keys() - {"name", "query", "is_shared", "is_default"}:
        raise TypeError(f"not parts of a view: {sorted(unknown)}")
    view = _own(ref, owner_id)
    if "name" in changes:
        changes["name"] = _named(changes["name"])
        if changes["name"] != view.name:
            _refuse_taken(owner_id, view.page, changes["name"])
    changed = sorted(name for name, value in changes.items() if getattr(view, name) != value)
    if not changed:
        return view
    if changes.get("is_default"):
        SavedView.objects.filter(owner_id=owner_id, page=view.page, is_default=True).update(
            is_default=False
        )
    for name in changed:
        setattr(view, name, changes[name])
    with refusing_doubles(lambda: _refuse_taken(owner_id, view.page, view.name)):
        view.save(update_fields=changed)
    _record(view, "view.changed", happened_at, actor, fields=changed)
    return view


@transaction.atomic
def delete_view(*, ref: str, owner_id: int, happened_at: datetime, actor: str) -> dict[str, Any]:
    """Delete a view and return what :func:`restore_view` needs to bring it back.

    :raises NotFound: there is none, or it is somebody else's.
    """
    view = _own(ref, owner_id)
    kept = {
        name: getattr(view, name)
        for name in ("ref", "owner_id", "page", "name", "query", "is_shared", "created_at")
    }
    _record(view, "view.deleted", happened_at, actor)
    view.delete()
    return kept


@transaction.atomic
def restore_view(*, kept: dict[str, Any], happened_at: datetime, actor: str) -> SavedView:
    """Bring a deleted view back; the undo of :func:`delete_view`.

    :raises ViewNameTaken: a new one took its name meanwhile; nothing is written.
    """
    _refuse_taken(kept["owner_id"], kept["page"], kept["name"])
    view = SavedView.objects.create(**kept)
    _record(view, "view.saved", happened_at, actor)
    return view


def _own(ref: str, owner_id: int) -> SavedView:
    view = SavedView.objects.select_for_update().filter(ref=ref, owner_id=owner_id).first()
    if view is None:
        raise NotFound
    return view


def _named(name: str) -> str:
    clean = clean_line(name, max_length=80)
    if not clean:
        raise InvalidInput(_("Give the view a name."), fields={"name": [str(_("Fill this in."))]})
    return clean


def _refuse_taken(owner_id: int, page: str, name: str) -> None:
    if SavedView.objects.filter(owner_id=owner_id, page=page, name=name).exists():
        raise ViewNameTaken(fields={"name": [str(ViewNameTaken.message)]})


def _record(view: SavedView, kind: str, happened_at: datetime, actor: str, **codes: Any) -> None:
    record_event(
        kind=kind,
        subject_kind="view",
        subject_ref=view.ref,
        occurred_at=happened_at,
        actor=actor,
        codes={"page": view.page, "is_shared": view.is_shared, **codes},
    )
