"""The document of a standard: names, purposes, what starts it, and its steps, in any languages.

A draft is this document, complete or not; :meth:`Content.refusals` says what is missing before it
can be published.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from accounts.models import Role
from common.validators import clean_line, clean_text
from crm.models import PlaybookVersion, Step
from crm.standards.triggers import triggers

DOERS = (Role.STAFF, Role.MANAGER, Role.ADMIN)  # from who may least to who may all
MAX_STEPS = 40
MAX_OFFSET = 2 * 366 * 24 * 60  # minutes
NAME_LENGTH, TITLE_LENGTH, TEXT_LENGTH = 120, 160, 4_000
Texts = dict[str, str]


@dataclass(frozen=True, slots=True)
class StepContent:
    """One step. offset_minutes: due so long after the start."""

    titles: Texts = field(default_factory=dict)
    guidance: Texts = field(default_factory=dict)
    five_p: str = Step.FiveP.PROCESSES
    role: str = Role.STAFF
    is_required: bool = True
    offset_minutes: int = 24 * 60
    done_when: str = Step.DoneWhen.TICKED


@dataclass(frozen=True, slots=True)
class Content:
    """A whole standard."""

    names: Texts = field(default_factory=dict)
    purposes: Texts = field(default_factory=dict)
    trigger: str = ""
    steps: tuple[StepContent, ...] = ()

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Content:
        """Return what :meth:`as_document` wrote."""
        fields = dict(document)
        steps = tuple(StepContent(**step) for step in fields.pop("steps", ()))
        return cls(**fields, steps=steps)

    def as_document(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return asdict(self)

    def cleaned(self) -> Content:
        """Return it with clean texts, empty ones dropped.

        :raises ValidationError: a text that can't be used or is too long.
        """
        return replace(
            self,
            names=_clean_texts(self.names, NAME_LENGTH, is_line=True),
            purposes=_clean_texts(self.purposes, TEXT_LENGTH),
            steps=tuple(
                replace(
                    step,
                    titles=_clean_texts(step.titles, TITLE_LENGTH, is_line=True),
                    guidance=_clean_texts(step.guidance, TEXT_LENGTH),
                )
                for step in self.steps
            ),
        )

    def with_step(self) -> Content:
        """Return it with an empty step at the end."""
        return replace(self, steps=(*self.steps, StepContent()))

    def without_step(self, place: int) -> Content:
        """Return it without the step at ``place`` (from 0); unchanged where there is none."""
        return replace(self, steps=self.steps[:place] + self.steps[place + 1 :])

    def with_step_moved(self, place: int, by: int) -> Content:
        """Return it with one step ``by`` places later (earlier when negative), if it can go."""
        if not (0 <= place < len(self.steps) and 0 <= place + by < len(self.steps)):
            return self
        steps = list(self.steps)
        steps.insert(place + by, steps.pop(place))
        return replace(self, steps=tuple(steps))

    def refusals(self) -> list[str]:
        """Return, in the reader's language, why it can't be published; empty when it can."""
        found = []
        if not self.names:
            found.append(_("Give the standard a name in at least one language."))
        if self.trigger and self.trigger not in triggers:
            found.append(_("Nothing here starts standards that way any more. Choose again."))
        if not self.steps:
            found.append(_("Add at least one step."))
        if len(self.steps) > MAX_STEPS:
            found.append(_("At most %(count)s steps are possible.") % {"count": MAX_STEPS})
        for number, step in enumerate(self.steps, start=1):
            found += [
                _("Step %(number)s: %(problem)s") % {"number": number, "problem": problem}
                for problem in _problems_of(step)
            ]
        return found


def content_of(version: PlaybookVersion) -> Content:
    """Return the document of a published version; one query."""
    return Content(
        names=dict(version.names),
        purposes=dict(version.purposes),
        trigger=version.trigger,
        steps=tuple(
            StepContent(
                titles=dict(step.titles),
                guidance=dict(step.guidance),
                five_p=step.five_p,
                role=step.role,
                is_required=step.is_required,
                offset_minutes=step.offset_minutes,
                done_when=step.done_when,
            )
            for step in sorted(version.steps.all(), key=lambda one: one.position)
        ),
    )


def _problems_of(step: StepContent) -> list[str]:
    found = []
    if not step.titles:
        found.append(_("give it a title in at least one language."))
    if not 1 <= step.offset_minutes <= MAX_OFFSET:
        found.append(_("give a time from one minute to two years after the start."))
    if (
        step.five_p not in Step.FiveP.values
        or step.role not in DOERS
        or step.done_when not in Step.DoneWhen.values
    ):
        found.append(_("choose role, class and what counts as done from the lists."))
    return found


def _clean_texts(texts: Mapping[str, str], length: int, *, is_line: bool = False) -> Texts:
    languages = dict(settings.LANGUAGES)
    if unknown := set(texts) - set(languages):
        raise ValidationError(_("Unknown language: %(code)s.") % {"code": sorted(unknown)[0]})
    clean = clean_line if is_line else clean_text
    cleaned = {code: clean(text, max_length=length) for code, text in texts.items()}
    return {code: cleaned[code] for code in languages if cleaned.get(code)}
