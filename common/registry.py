"""Registries that upper apps fill in ``AppConfig.ready()``, so that lower ones never name them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils.functional import Promise


@dataclass(frozen=True, slots=True)
class MenuEntry:
    """An entry of the main menu. roles: who sees it. icon: name of a file in static/icons.

    beside: names of pages that stand beside its own and are reached from there.
    """

    label: str | Promise
    url_name: str
    icon: str
    roles: frozenset[str]
    order: int
    beside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QuickAction:
    """Something to do from anywhere, in the command palette. key: types it, where nobody types."""

    label: str | Promise
    url_name: str
    icon: str
    roles: frozenset[str]
    order: int
    key: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """A piece of a page that another app contributes.

    load: ``(customer_id, request) -> context or None``; None hides the panel. At most 3 queries.
    glance: a template for the head of the page, with the same context; none by default.
    """

    name: str
    template: str
    load: Callable[[int, HttpRequest], dict[str, Any] | None]
    order: int
    glance: str = ""


@dataclass(frozen=True, slots=True)
class CustomerTab:
    """A tab of a customer's page: a fragment for htmx at ``customers/<ref>/<name>/``.

    name: what the view gives to ``crm.views.tabs.show_tab``, which makes the whole page around it
    where the address is opened by itself.
    url_name: of the view, which takes the customer's ``ref``. roles: who sees the tab.
    """

    name: str
    label: str | Promise
    url_name: str
    order: int
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class EventRenderer:
    """How the timeline shows one kind of event: a label, an icon, and a line from its codes."""

    kind: str
    label: str | Promise
    icon: str
    describe: Callable[[dict[str, Any]], str]


@dataclass(frozen=True, slots=True)
class PersonalData:
    """What one model keeps about a customer, and how it is exported and erased.

    model: ``app.Model``.  export: ``(customer_ids) -> list of plain dicts``.
    erase: ``(customer_ids) -> rows erased``.  reason: instead of both, why nothing is needed.
    export_own: what customers themselves are given, where that is less than ``export``.
    """

    model: str
    export: Callable[[list[int]], list[dict[str, Any]]] | None = None
    erase: Callable[[list[int]], int] | None = None
    reason: str = ""
    export_own: Callable[[list[int]], list[dict[str, Any]]] | None = None


@dataclass(frozen=True, slots=True)
class Traces:
    """By what somebody who is erased is known in rows that don't belong to them.

    words: names, addresses, numbers and ids as they may be written elsewhere. refs: of the
    customer's records. user_ids: of who signed in as them.
    """

    words: frozenset[str]
    refs: frozenset[str]
    user_ids: frozenset[int]


@dataclass(frozen=True, slots=True)
class HomeCard:
    """A card on the home page. load: ``request -> context or None``; at most 2 queries."""

    name: str
    template: str
    load: Callable[[HttpRequest], dict[str, Any] | None]
    roles: frozenset[str]
    order: int


@dataclass(frozen=True, slots=True)
class IdentityChange:
    """Two people were found to be one, or that was undone.

    key: ``merge:<ref>`` or ``unmerge:<ref>``, for what must be written once.
    person: ids of the records of who remains, their own first.
    record: those of who joined them, or leaves them again; the head of the group first.
    undoes: the key of the merge that is undone; empty for a merge.
    """

    key: str
    person: tuple[int, ...]
    record: tuple[int, ...]
    happened_at: datetime
    actor: str
    undoes: str = ""


menu_entries: list[MenuEntry] = []
page_keys: dict[str, str] = {}  # URL name of a menu entry → the letter that follows "g"
quick_actions: list[QuickAction] = []
customer_panels: list[Panel] = []
customer_tabs: list[CustomerTab] = []
portal_panels: list[Panel] = []
home_cards: list[HomeCard] = []
event_renderers: dict[str, EventRenderer] = {}
personal_data: dict[str, PersonalData] = {}
# Rows that name somebody without belonging to them; each returns how many it erased.
trace_erasers: list[Callable[[Traces], int]] = []
# Called in order, in the transaction of the merge or its undoing, when the links are written.
identity_changed: list[Callable[[IdentityChange], None]] = []


def register_event(
    kind: str,
    label: str | Promise,
    icon: str = "point",
    describe: Callable[[dict[str, Any]], str] = lambda codes: "",
) -> None:
    """Tell the timeline how to show events of ``kind``."""
    event_renderers[kind] = EventRenderer(kind, label, icon, describe)


def register_personal_data(entry: PersonalData) -> None:
    """Tell export and erasure what a model keeps about customers."""
    personal_data[entry.model] = entry
