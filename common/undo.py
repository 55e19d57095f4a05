"""Ten seconds to take something back, instead of "are you sure?".

A service that can be undone has a counterpart, registered by name in ``AppConfig.ready()``. After
the service, the view offers the undo: the message comes with a button for as long as it is shown.
Nothing about it stands in the page but a name nobody can guess.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from secrets import token_urlsafe
from typing import Any

from django.contrib import messages
from django.core.cache import cache
from django.db import transaction
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict
from common.time import now

SHOWN_SECONDS = 10
# Longer than the button is shown: it stays while somebody points at it or reads it.
VALID = timedelta(seconds=30)
KEPT_SECONDS = 600  # so that a late click learns that it came late
MARK = "undo:"  # of a message that comes with a button

Undo = Callable[..., Any]
undos: dict[str, Undo] = {}


class UndoTooLate(Conflict):
    """The time to take it back is over, or it was never offered to this person."""

    code = "undo_too_late"
    message = _("It is too late to undo this. Nothing was changed.")


class UndoneAlready(Conflict):
    """It was taken back already."""

    code = "undone_already"
    message = _("This was undone already.")


def register_undo(name: str, function: Undo) -> None:
    """Tell how something is taken back.

    name: dotted code such as ``customers.tagged``.
    function: a service; called with ``actor``, ``happened_at`` and what was offered. It is atomic,
    refuses by a :class:`DomainError` what changed meanwhile, and checks no role: who may do may
    undo.
    """
    undos[name] = function


def offer_undo(request: HttpRequest, message: str | Promise, name: str, **kwargs: Any) -> None:
    """Tell the user what was done, with a button that takes it back; for pages and fragments.

    kwargs: ids and codes for the registered function; never personal text.
    """
    if name not in undos:
        raise KeyError(f"no undo is registered as {name!r}")
    token = token_urlsafe(16)
    offer = {"name": name, "kwargs": kwargs, "user": request.user.pk, "at": now()}
    cache.set(_key(token), offer, KEPT_SECONDS)
    messages.success(request, str(message), extra_tags=f"{MARK}{token}")


@transaction.atomic
def take_back(*, token: str, user_id: int, actor: str, happened_at: datetime) -> None:
    """Undo what was offered under a token, once.

    :raises UndoTooLate: longer than 30 seconds ago, or not offered to this user.
    :raises UndoneAlready: somebody was quicker, such as the same person clicking twice.
    :raises DomainError: what the undo itself refuses; it may then be tried again.
    """
    offer = cache.get(_key(token))
    if not offer or offer["user"] != user_id:
        raise UndoTooLate
    # In the transaction of its effect: of two clicks at once the second waits, then is told.
    if not cache.add(_key(token, "done"), True, KEPT_SECONDS):
        raise UndoneAlready
    try:
        if happened_at - offer["at"] > VALID:
            raise UndoTooLate
        undos[offer["name"]](actor=actor, happened_at=happened_at, **offer["kwargs"])
    except BaseException:
        cache.delete(_key(token, "done"))
        raise


def _key(token: str, state: str = "offer") -> str:
    return f"undo:{state}:{token}"
