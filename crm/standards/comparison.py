"""What one wording of a standard changed against the one before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from crm.models import Step
from crm.standards.content import Content, StepContent
from crm.standards.offsets import offset_text
from crm.standards.triggers import trigger_label
from crm.standards.wording import text_for_reader


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs. before, after: as people read them; empty for what is not there."""

    what: str | Promise
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class StepChange:
    """What became of a step. before, after: its position; None where it is not there."""

    title: str
    before: int | None
    after: int | None
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a version changed against the one before."""

    head: tuple[Difference, ...] = ()
    steps: tuple[StepChange, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.head or self.steps)


def compare(before: Content, after: Content) -> Comparison:
    """Return what ``after`` changed. Steps are matched by their titles, else by their place."""
    head = [
        *_texts(_("Name"), before.names, after.names),
        *_texts(_("Purpose"), before.purposes, after.purposes),
    ]
    if before.trigger != after.trigger:
        head.append(Difference(_("Starts"), _starts(before.trigger), _starts(after.trigger)))
    return Comparison(tuple(head), tuple(_step_changes(before.steps, after.steps)))


def _step_changes(
    before: tuple[StepContent, ...], after: tuple[StepContent, ...]
) -> Iterable[StepChange]:
    pairs = _matched(before, after)
    new_places = {new: old for old, new in pairs}
    kept_order = [new for _old, new in sorted(pairs)]
    moved = set(kept_order) - set(_longest_rising(kept_order))
    for new, step in enumerate(after):
        old = new_places.get(new)
        if old is None:
            yield StepChange(_title(step), None, new + 1)
            continue
        found = tuple(_differences(before[old], step))
        if found or new in moved:
            yield StepChange(_title(step), old + 1, new + 1, found)
    for old in sorted(set(range(len(before))) - {old for old, _new in pairs}):
        yield StepChange(_title(before[old]), old + 1, None)


def _matched(
    before: tuple[StepContent, ...], after: tuple[StepContent, ...]
) -> list[tuple[int, int]]:
    """Places of steps that are the same step: of the same titles first, then the likeliest."""
    pairs: list[tuple[int, int]] = []
    left, right = set(range(len(before))), set(range(len(after)))

    def pair(is_same: float) -> None:
        for old in sorted(left):
            likely = [
                (_likeness(before[old], after[new]), -abs(old - new), new) for new in sorted(right)
            ]
            best = max(likely, default=None)
            if best and best[0] >= is_same:
                pairs.append((old, best[2]))
                left.discard(old)
                right.discard(best[2])

    pair(1.0)
    pair(0.5)
    return pairs


def _likeness(one: StepContent, other: StepContent) -> float:
    shared = one.titles.keys() & other.titles.keys()
    ratios = [
        SequenceMatcher(a=one.titles[code], b=other.titles[code], autojunk=False).ratio()
        for code in shared
    ]
    return max(ratios, default=0.0)


def _longest_rising(places: list[int]) -> list[int]:
    """The longest subsequence in rising order: what kept its order when others moved."""
    best: list[list[int]] = []
    for place in places:
        tails = [run for run in best if run[-1] < place]
        best.append([*max(tails, key=len, default=[]), place])
    return max(best, key=len, default=[])


def _differences(before: StepContent, after: StepContent) -> Iterable[Difference]:
    yield from _texts(_("Title"), before.titles, after.titles)
    yield from _texts(_("Guidance"), before.guidance, after.guidance)
    fives, dones = dict(Step.FiveP.choices), dict(Step.DoneWhen.choices)
    roles = dict(Step._meta.get_field("role").choices or ())
    yes_no = {True: _("Required"), False: _("Optional")}
    pairs = (
        (_("Due"), offset_text(before.offset_minutes), offset_text(after.offset_minutes)),
        (_("Role"), roles.get(before.role, ""), roles.get(after.role, "")),
        (_("Required"), yes_no[before.is_required], yes_no[after.is_required]),
        (_("Class"), fives.get(before.five_p, ""), fives.get(after.five_p, "")),
        (_("Done when"), dones.get(before.done_when, ""), dones.get(after.done_when, "")),
    )
    for what, old, new in pairs:
        if old != new:
            yield Difference(what, str(old), str(new))


def _texts(what: str | Promise, before: dict[str, str], after: dict[str, str]) -> list[Difference]:
    return [
        Difference(f"{what} ({name})", before.get(code, ""), after.get(code, ""))
        for code, name in settings.LANGUAGES
        if before.get(code, "") != after.get(code, "")
    ]


def _starts(trigger: str) -> str:
    return str(trigger_label(trigger)) if trigger else str(_("by hand"))


def _title(step: StepContent) -> str:
    return text_for_reader(step.titles)
