"""Service standards: the list, one standard with its versions and history, what was in force."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Count, Prefetch, Q, QuerySet

from common.errors import NotFound
from common.models import Event
from crm.models import Playbook, PlaybookVersion, Run, Step

HISTORY = 50


def list_playbooks(*, active_only: bool = False) -> QuerySet[Playbook]:
    """Return the standards with their version in force; there are few. active_only: startable."""
    playbooks = Playbook.objects.select_related("current")
    if active_only:
        playbooks = playbooks.filter(is_active=True, current__isnull=False)
    return playbooks


def playbooks_with_counts() -> list[Playbook]:
    """Return the standards, active ones first, by name; each has ``open_runs`` and ``steps``."""
    counts = dict(
        Run.objects.filter(state=Run.State.OPEN)
        .values_list("version__playbook_id")
        .annotate(Count("id"))
    )
    steps = dict(
        Step.objects.filter(
            version_id__in=Playbook.objects.filter(current__isnull=False).values("current_id")
        )
        .values_list("version_id")
        .annotate(Count("id"))
    )
    found = list(list_playbooks())
    for playbook in found:
        playbook.open_runs = counts.get(playbook.pk, 0)  # type: ignore[attr-defined]
        playbook.steps = steps.get(playbook.current_id or 0, 0)  # type: ignore[attr-defined]
    return sorted(found, key=lambda one: (not one.is_active, one.name.casefold(), one.pk))


def get_playbook(ref: str) -> Playbook:
    """Return the standard with this ref or key, with its version in force.

    :raises NotFound: none has it.
    """
    found = {
        playbook.ref == ref: playbook
        for playbook in list_playbooks().filter(Q(ref=ref) | Q(key=ref))
    }
    if not found:
        raise NotFound
    return found.get(True) or found[False]


def get_version(playbook: Playbook, number: int) -> PlaybookVersion:
    """Return one version with its steps in order.

    :raises NotFound: there is no such version.
    """
    version = versions_of(playbook).filter(number=number).first()
    if version is None:
        raise NotFound
    return version


def versions_of(playbook: Playbook) -> QuerySet[PlaybookVersion]:
    """Return the versions of a standard with their steps, newest first."""
    return playbook.versions.prefetch_related(
        Prefetch("steps", Step.objects.order_by("position"))
    ).order_by("-number")


def history_of(playbook: Playbook) -> QuerySet[Event]:
    """Return who drafted, published and switched a standard, newest first, the last 50."""
    return Event.objects.filter(subject_kind="standard", subject_ref=playbook.ref).order_by(
        "-occurred_at", "-id"
    )[:HISTORY]


def versions_in_force(since: datetime, until: datetime) -> list[PlaybookVersion]:
    """Return what was in force at any time of ``[since, until)``, or had a run then, with steps.

    A version is in force from its publishing until the next one's, whether switched on or not.
    """
    followed = Run.objects.filter(started_at__lt=until).filter(
        Q(ended_at__isnull=True) | Q(ended_at__gte=since)
    )
    versions = (
        PlaybookVersion.objects.filter(published_at__lt=until)
        .select_related("playbook")
        .prefetch_related(Prefetch("steps", Step.objects.order_by("position")))
        .order_by("playbook__key", "number")
    )
    had_runs = set(followed.values_list("version_id", flat=True).distinct())
    found = list(versions)
    superseded_at = {
        (one.playbook_id, one.number - 1): one.published_at for one in found if one.number > 1
    }
    return [
        one
        for one in found
        if superseded_at.get((one.playbook_id, one.number), until) > since or one.pk in had_runs
    ]
