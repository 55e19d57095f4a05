"""The business's own list of reasons for leaving."""

from __future__ import annotations

import re
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, InvalidInput
from common.services import record_event
from common.validators import clean_line
from crm.models import CancelReason
from crm.services.uniqueness import refusing_doubles

CODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


class ReasonTaken(Conflict):
    """Another reason has this code."""

    code = "reason_taken"
    message = _("Another reason has this code.")


@transaction.atomic
def record_reason(
    *, code: str, names: dict[str, str], happened_at: datetime, actor: str, position: int = 0
) -> CancelReason:
    """Return a new reason.

    code: lower-case letters, digits, dash and underscore; never changes.
    names: language → name; at least one.

    :raises ReasonTaken: another reason has the code; nothing is written.
    :raises InvalidInput: no usable code, or no name; nothing is written.
    """
    code = clean_line(code, max_length=40)
    if not CODE.fullmatch(code):
        text = str(_("Use lower-case Latin letters, digits, dash and underscore."))
        raise InvalidInput(fields={"code": [text]})
    _refuse_taken(code)
    with refusing_doubles(lambda: _refuse_taken(code)):
        reason = CancelReason.objects.create(code=code, names=_named(names), position=position)
    _tell("cancel_reason.recorded", reason, happened_at, actor)
    return reason


@transaction.atomic
def update_reason(
    *,
    reason_id: int,
    names: dict[str, str],
    position: int,
    is_archived: bool,
    happened_at: datetime,
    actor: str,
) -> CancelReason:
    """Change a reason's names and place, or take it off the list; past requests keep it.

    :raises InvalidInput: no name; nothing is written.
    """
    reason = CancelReason.objects.select_for_update().get(pk=reason_id)
    before = (reason.names, reason.position, reason.archived_at is not None)
    names = _named(names)
    if before == (names, position, is_archived):
        return reason
    reason.names, reason.position = names, position
    if is_archived != before[2]:
        reason.archived_at = happened_at if is_archived else None
    reason.save(update_fields=["names", "position", "archived_at"])
    _tell("cancel_reason.changed", reason, happened_at, actor)
    return reason


def _named(names: dict[str, str]) -> dict[str, str]:
    languages = [code for code, _name in settings.LANGUAGES]
    clean = {
        language: name
        for language in languages
        if (name := clean_line(names.get(language) or "", max_length=80))
    }
    if not clean:
        raise InvalidInput(fields={"names": [str(_("Give it a name in at least one language."))]})
    return clean


def _refuse_taken(code: str) -> None:
    if CancelReason.objects.filter(code=code).exists():
        raise ReasonTaken(fields={"code": [str(ReasonTaken.message)]})


def _tell(kind: str, reason: CancelReason, happened_at: datetime, actor: str) -> None:
    record_event(
        kind=kind,
        subject_kind="cancel_reason",
        subject_ref=reason.code,
        occurred_at=happened_at,
        actor=actor,
    )
