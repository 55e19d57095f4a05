"""Service standards: drafts are written, published once and for all, switched on and off."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from common.errors import Conflict, InvalidInput
from common.refs import new_ref
from common.services import record_event
from crm.models import Playbook, PlaybookVersion, Step
from crm.services.uniqueness import refusing_doubles
from crm.standards.content import Content, content_of


class PlaybookKeyTaken(Conflict):
    """Another standard has the key."""

    code = "standard_key_taken"
    message = _("A standard with this key is there already.")


class NoDraft(Conflict):
    """There is nothing to publish or throw away."""

    code = "standard_no_draft"
    message = _("This standard has no draft.")


class DraftUnchanged(Conflict):
    """The draft says what the version in force says."""

    code = "standard_draft_unchanged"
    message = _("The draft says the same as the version in force.")


class DraftChangedMeanwhile(Conflict):
    """Somebody else saved the draft after it was opened."""

    code = "standard_draft_changed"
    message = _("A colleague saved this draft meanwhile. Open it again before you change it.")


class NeverPublished(Conflict):
    """A standard that was never published can't be switched on or started."""

    code = "standard_never_published"
    message = _("Publish this standard first.")


@transaction.atomic
def create_playbook(
    *, content: Content, happened_at: datetime, actor: str, key: str = ""
) -> Playbook:
    """Return a new standard with its first draft; it can be started once it is published.

    key: what files and the API call it; made from the English name where none is given.

    :raises PlaybookKeyTaken: another standard has the key; nothing is written.
    """
    content = content.cleaned()
    key = key or _free_key(content)
    with refusing_doubles(lambda: _refuse_key(key)):
        playbook = Playbook.objects.create(
            key=key,
            draft=content.as_document(),
            draft_by=actor,
            draft_at=happened_at,
            created_at=happened_at,
        )
    _record("playbook.drafted", playbook, happened_at, actor)
    return playbook


@transaction.atomic
def open_draft(*, playbook_id: int, happened_at: datetime, actor: str) -> Playbook:
    """Return the standard with a draft: the one that is there, or one from the version in force."""
    playbook = _locked(playbook_id)
    if playbook.draft is None:
        start = content_of(playbook.current) if playbook.current else Content()
        _keep_draft(playbook, start, happened_at, actor)
        _record("playbook.drafted", playbook, happened_at, actor)
    return playbook


@transaction.atomic
def save_draft(
    *,
    playbook_id: int,
    content: Content,
    happened_at: datetime,
    actor: str,
    opened_at: datetime | None = None,
) -> Playbook:
    """Keep a draft, complete or not, and return the standard. The version in force stays in force.

    opened_at: ``draft_at`` as the writer found it; None writes over whatever is there.

    :raises DraftChangedMeanwhile: somebody saved it since; nothing is written.
    :raises ValidationError: a text can't be used; nothing is written.
    """
    playbook = _locked(playbook_id)
    if opened_at is not None and playbook.draft_at not in (None, opened_at):
        raise DraftChangedMeanwhile
    _keep_draft(playbook, content.cleaned(), happened_at, actor)
    return playbook


@transaction.atomic
def discard_draft(*, playbook_id: int, happened_at: datetime, actor: str) -> Playbook:
    """Throw the draft away and return the standard.

    :raises NoDraft: there is none.
    :raises NeverPublished: the draft is all there is of this standard; nothing is written.
    """
    playbook = _locked(playbook_id)
    if playbook.draft is None:
        raise NoDraft
    if playbook.current_id is None:
        raise NeverPublished
    playbook.draft, playbook.draft_by, playbook.draft_at = None, "", None
    playbook.save(update_fields=["draft", "draft_by", "draft_at"])
    _record("playbook.draft_discarded", playbook, happened_at, actor)
    return playbook


@transaction.atomic
def publish_playbook(*, playbook_id: int, happened_at: datetime, actor: str) -> PlaybookVersion:
    """Write the draft down as the next version, which never changes, and return it.

    What runs start from now on follow it; those under way keep theirs.

    :raises NoDraft: there is none; nothing is written.
    :raises InvalidInput: something is missing, every point named; nothing is written.
    :raises DraftUnchanged: it says what the version in force says; nothing is written.
    """
    playbook = _locked(playbook_id)
    if playbook.draft is None:
        raise NoDraft
    content = Content.from_document(playbook.draft)
    if refusals := content.refusals():
        raise InvalidInput(fields={"draft": refusals})
    if playbook.current and content_of(playbook.current) == content:
        raise DraftUnchanged
    version = PlaybookVersion.objects.create(
        playbook=playbook,
        number=(playbook.current.number if playbook.current else 0) + 1,
        names=content.names,
        purposes=content.purposes,
        trigger=content.trigger,
        author=actor,
        published_at=happened_at,
    )
    Step.objects.bulk_create(
        Step(
            version=version,
            position=position,
            titles=step.titles,
            guidance=step.guidance,
            five_p=step.five_p,
            role=step.role,
            is_required=step.is_required,
            offset_minutes=step.offset_minutes,
            done_when=step.done_when,
        )
        for position, step in enumerate(content.steps, start=1)
    )
    playbook.current = version
    playbook.draft, playbook.draft_by, playbook.draft_at = None, "", None
    playbook.save(update_fields=["current", "draft", "draft_by", "draft_at"])
    _record("playbook.published", playbook, happened_at, actor)
    return version


@transaction.atomic
def switch_playbook(
    *, playbook_id: int, is_active: bool, happened_at: datetime, actor: str
) -> Playbook:
    """Let a standard be started, or not; what is under way goes on. Return it.

    :raises NeverPublished: it has no version yet; nothing is written.
    """
    playbook = _locked(playbook_id)
    if playbook.current_id is None:
        raise NeverPublished
    if playbook.is_active != is_active:
        playbook.is_active = is_active
        playbook.save(update_fields=["is_active"])
        kind = "playbook.switched_on" if is_active else "playbook.switched_off"
        _record(kind, playbook, happened_at, actor)
    return playbook


def _locked(playbook_id: int) -> Playbook:
    playbook = Playbook.objects.select_for_update().get(pk=playbook_id)
    if playbook.current_id:
        playbook.current = PlaybookVersion.objects.get(pk=playbook.current_id)
    return playbook


def _keep_draft(playbook: Playbook, content: Content, happened_at: datetime, actor: str) -> None:
    playbook.draft = content.as_document()
    playbook.draft_by, playbook.draft_at = actor, happened_at
    playbook.save(update_fields=["draft", "draft_by", "draft_at"])


def _free_key(content: Content) -> str:
    stem = slugify(content.names.get("en", ""))[:40].strip("-") or "standard"
    taken = set(Playbook.objects.filter(key__startswith=stem).values_list("key", flat=True))
    return stem if stem not in taken else f"{stem}-{new_ref()[:6]}"


def _refuse_key(key: str) -> None:
    if Playbook.objects.filter(key=key).exists():
        raise PlaybookKeyTaken


def _record(kind: str, playbook: Playbook, happened_at: datetime, actor: str) -> None:
    record_event(
        kind=kind,
        subject_kind="standard",
        subject_ref=playbook.ref,
        occurred_at=happened_at,
        actor=actor,
        codes={"standard": playbook.key}
        | ({"version": playbook.current.number} if playbook.current else {}),
    )
