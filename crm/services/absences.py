"""Being away: a colleague takes over what waits, and hands back what is left of it."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.permissions import WRITERS
from common.errors import InvalidInput
from common.services import SYSTEM, record_event
from crm.models import Absence, Conversation, Interaction
from crm.selectors.absences import away_at, stand_ins_at
from crm.services.conversations import place_with

BATCH = 100  # conversations per transaction


@transaction.atomic
def record_absence(
    *,
    user_id: int,
    starts_at: datetime,
    ends_at: datetime,
    substitute_id: int | None,
    happened_at: datetime,
    actor: str,
) -> Absence:
    """Have a colleague stand in for somebody during ``[starts_at, ends_at)``, and return it.

    substitute_id: who may write; with None nobody takes over.

    :raises InvalidInput: it ends before it starts or is over, the substitute is the same person
        or nobody who could, or the person is away then already; nothing is written.
    """
    errors: dict[str, list[str]] = {}
    if ends_at <= starts_at or ends_at <= happened_at:
        errors["ends_at"] = [str(_("It must end after it starts, and not before now."))]
    if substitute_id is not None and (
        substitute_id == user_id
        or not User.objects.filter(pk=substitute_id, is_active=True, role__in=WRITERS).exists()
    ):
        errors["substitute"] = [str(_("Choose a colleague who serves customers."))]
    others = Absence.objects.select_for_update().filter(
        user_id=user_id, starts_at__lt=ends_at, ends_at__gt=starts_at
    )
    if not errors and others.exists():
        errors["starts_at"] = [str(_("There is another absence at this time; end it first."))]
    if errors:
        raise InvalidInput(fields=errors)
    absence = Absence.objects.create(
        user_id=user_id,
        substitute_id=substitute_id,
        starts_at=starts_at,
        ends_at=ends_at,
        recorded_at=happened_at,
    )
    _record(absence, "absence.recorded", happened_at, actor)
    return absence


@transaction.atomic
def end_absence(*, absence_id: int, happened_at: datetime, actor: str) -> None:
    """End an absence now; one that has not begun is called off. Over already, nothing happens."""
    absence = Absence.objects.select_for_update().get(pk=absence_id)
    if absence.ends_at <= happened_at:
        return
    _record(absence, "absence.ended", happened_at, actor)
    if absence.starts_at >= happened_at:
        absence.delete()
    else:
        absence.ends_at = happened_at
        absence.save(update_fields=["ends_at"])


def hand_over_waiting(now: datetime) -> int:
    """Give what waits for people who are away to their stand-ins, and give back what is left.

    What the stand-in has answered since stays with them. Returns how many conversations moved.
    """
    return _hand_over(now) + _hand_back(now)


@transaction.atomic
def _hand_over(now: datetime) -> int:
    stand_ins = stand_ins_at(now)
    if not stand_ins:
        return 0
    waiting = Conversation.objects.filter(
        state=Conversation.State.OPEN, waiting_since__isnull=False, assignee_id__in=stand_ins
    )
    conversations = list(waiting.select_for_update().order_by("pk")[:BATCH])
    for conversation in conversations:
        away_id = conversation.assignee_id or 0
        # Whoever was stood in for first gets it back in the end.
        owner_id = conversation.standing_in_for_id or away_id
        place_with(
            conversation,
            owner_id,
            stand_ins[away_id],
            happened_at=now,
            actor=SYSTEM,
            is_hand_over=True,
        )
        conversation.save(update_fields=["assignee", "standing_in_for"])
    return len(conversations)


@transaction.atomic
def _hand_back(now: datetime) -> int:
    stood_in = Conversation.objects.filter(standing_in_for__isnull=False)
    owners = set(stood_in.order_by().values_list("standing_in_for_id", flat=True).distinct())
    present = owners - away_at(now, user_ids=owners) if owners else set()
    if not present:
        return 0
    conversations = list(
        stood_in.filter(standing_in_for_id__in=present).select_for_update().order_by("pk")[:BATCH]
    )
    moved = 0
    for conversation in conversations:
        owner_id = conversation.standing_in_for_id
        if conversation.waiting_since is None or _was_taken_up(conversation):
            conversation.standing_in_for_id = None
        else:
            place_with(
                conversation, owner_id, owner_id, happened_at=now, actor=SYSTEM, is_hand_over=True
            )
            moved += 1
        conversation.save(update_fields=["assignee", "standing_in_for"])
    return moved


def _was_taken_up(conversation: Conversation) -> bool:
    """Whether the stand-in wrote to the customer since this waits or in answer before."""
    return Interaction.objects.filter(
        Q(direction=Interaction.Direction.OUTBOUND),
        conversation=conversation,
        author_id=conversation.assignee_id,
    ).exists()


def _record(absence: Absence, kind: str, happened_at: datetime, actor: str) -> None:
    record_event(
        kind=kind,
        subject_kind="absence",
        subject_ref=absence.ref,
        occurred_at=happened_at,
        actor=actor,
        codes={
            "user": absence.user_id,
            "substitute": absence.substitute_id,
            "from": absence.starts_at.isoformat(),
            "until": absence.ends_at.isoformat(),
        },
    )
