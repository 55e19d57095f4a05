"""How well standards are kept: per standard, step, shop and class of the five Ps.

What counts are runs that *started* in the period. A run is due when its last step is; it was on
time when it was completed by then with every required step done. A step is due at its own time.
The share on time is of what was due so far or is over; optional steps that were skipped, for which
a reason stands, are left out of it. Times are medians of real (not business) time since the start.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Window
from django.db.models.functions import RowNumber

from crm.models import Location, Run, Step, StepResult
from crm.standards.offsets import duration_text

Key = Hashable


@dataclass(slots=True)
class Tally:
    """Counts of one row; ``on_time`` of ``due``. seconds: the median of those completed or done."""

    label: str = ""
    started: int = 0
    completed: int = 0
    skipped: int = 0
    given_up: int = 0
    on_time: int = 0
    due: int = 0
    seconds: int | None = None

    @property
    def share(self) -> float | None:
        """The share on time; None where nothing was due."""
        return self.on_time / self.due if self.due else None

    @property
    def time(self) -> str:
        """The median for people; empty where there is none."""
        return "" if self.seconds is None else duration_text(self.seconds)

    def add(self, **counts: int) -> None:
        """Add to the counts."""
        for name, count in counts.items():
            setattr(self, name, getattr(self, name) + count)


@dataclass(frozen=True, slots=True)
class Scorecard:
    """Rows per dimension, each in its order."""

    total: Tally = field(default_factory=Tally)
    standards: list[Tally] = field(default_factory=list)
    locations: list[Tally] = field(default_factory=list)
    steps: list[Tally] = field(default_factory=list)
    five_ps: list[Tally] = field(default_factory=list)

    def parts(self) -> Iterable[tuple[str, list[Tally]]]:
        """Return (dimension, rows) of all, the total first."""
        yield "total", [self.total]
        yield "standard", self.standards
        yield "location", self.locations
        yield "five_p", self.five_ps
        yield "step", self.steps


def scorecard(
    since: datetime,
    until: datetime,
    *,
    now: datetime,
    playbook_id: int | None = None,
    location_id: int | None = None,
) -> Scorecard:
    """Return the scorecard of runs started in ``[since, until)``; six queries.

    playbook_id, location_id: only of this standard, only in this shop.
    """
    runs = Run.objects.filter(started_at__gte=since, started_at__lt=until)
    results = StepResult.objects.filter(run__started_at__gte=since, run__started_at__lt=until)
    if playbook_id is not None:
        runs = runs.filter(version__playbook_id=playbook_id)
        results = results.filter(run__version__playbook_id=playbook_id)
    if location_id is not None:
        runs = runs.filter(location_id=location_id)
        results = results.filter(run__location_id=location_id)

    total = Tally()
    standards: dict[Key, Tally] = defaultdict(Tally)
    locations: dict[Key, Tally] = defaultdict(Tally)
    steps: dict[Key, Tally] = defaultdict(Tally)
    five_ps: dict[Key, Tally] = defaultdict(Tally)
    for row in _run_counts(runs, now):
        playbook, location = row.pop("version__playbook_id"), row.pop("location_id")
        for tally in (total, standards[playbook], locations[location]):
            tally.add(**row)
    for row in _step_counts(results, now):
        place = [row.pop(name) for name in ("playbook_id", "location_id", "step_id", "five_p")]
        playbook, location, step, five_p = place
        for tally in (steps[step], five_ps[five_p]):
            tally.add(**row)
        for tally in (total, standards[playbook], locations[location]):
            tally.add(skipped=row["skipped"])

    of_runs = _medians(
        runs.filter(state=Run.State.COMPLETED), ("version__playbook_id", "location_id")
    )
    of_steps = _medians(results.filter(state=StepResult.State.DONE), ("step_id", "step__five_p"))
    for tallies, medians in zip(
        (standards, locations, steps, five_ps), (*of_runs[1:], *of_steps[1:]), strict=True
    ):
        for key, seconds in medians.items():
            tallies[key].seconds = seconds
    total.seconds = of_runs[0].get(None)
    known = list(Step.objects.filter(pk__in=list(steps)).select_related("version"))
    newest = sorted((step.version for step in known), key=lambda one: one.number)
    return Scorecard(
        total=total,
        standards=_named(standards, {one.playbook_id: one.name for one in newest}),
        locations=_named(locations, dict(Location.objects.values_list("pk", "name"))),
        steps=_named_steps(steps, known),
        five_ps=_named(five_ps, {key: str(label) for key, label in Step.FiveP.choices}),
    )


def _run_counts(runs: QuerySet[Run], now: datetime) -> QuerySet[Any, Any]:
    not_done = StepResult.objects.filter(run=OuterRef("pk"), step__is_required=True).exclude(
        state=StepResult.State.DONE
    )
    completed = Q(state=Run.State.COMPLETED)
    return (
        runs.annotate(lacks=Exists(not_done))
        .values("version__playbook_id", "location_id")
        .annotate(
            started=Count("pk"),
            completed=Count("pk", filter=completed),
            given_up=Count("pk", filter=Q(state=Run.State.ABANDONED)),
            due=Count("pk", filter=Q(due_at__lte=now) | ~Q(state=Run.State.OPEN)),
            on_time=Count("pk", filter=completed & Q(ended_at__lte=F("due_at"), lacks=False)),
        )
        .order_by()
    )


def _step_counts(results: QuerySet[StepResult], now: datetime) -> QuerySet[Any, Any]:
    done = Q(state=StepResult.State.DONE)
    excused = Q(state=StepResult.State.SKIPPED, step__is_required=False)
    over = (Q(due_at__lte=now) | ~Q(state=StepResult.State.OPEN)) & ~excused
    return (
        results.values(
            "step_id",
            location_id=F("run__location_id"),
            playbook_id=F("step__version__playbook_id"),
            five_p=F("step__five_p"),
        )
        .annotate(
            started=Count("pk"),
            completed=Count("pk", filter=done),
            skipped=Count("pk", filter=Q(state=StepResult.State.SKIPPED)),
            given_up=Count("pk", filter=Q(state=StepResult.State.LEFT)),
            due=Count("pk", filter=over),
            on_time=Count("pk", filter=done & Q(decided_at__lte=F("due_at"))),
        )
        .order_by()
    )


def _medians(rows: QuerySet[Any], keys: Sequence[str]) -> list[dict[Any, int]]:
    """Medians of ``seconds`` over all rows (under None), then per value of each of ``keys``.

    Cut to whole seconds; one query that returns the middle rows only, however many there are.
    """
    rows, wanted = rows.filter(seconds__isnull=False), Q()
    for number, key in enumerate((None, *keys)):
        group: dict[str, Any] = {"partition_by": [F(key)]} if key else {}
        place, size = f"place{number}", f"size{number}"
        rows = rows.annotate(
            **{
                place: Window(RowNumber(), order_by=[F("seconds").asc(), F("pk").asc()], **group),
                size: Window(Count("pk"), **group),
            }
        )
        wanted |= Q(**{f"{place}__gte": (F(size) + 1) / 2, f"{place}__lte": (F(size) + 2) / 2})
    found: list[dict[Any, list[int]]] = [defaultdict(list) for _key in (None, *keys)]
    names = [f"{what}{number}" for number in range(len(found)) for what in ("place", "size")]
    for row in rows.filter(wanted).values("seconds", *keys, *names):
        for number, values in enumerate(found):
            place, size = row[f"place{number}"], row[f"size{number}"]
            if (size + 1) // 2 <= place <= (size + 2) // 2:
                values[row[keys[number - 1]] if number else None].append(row["seconds"])
    return [{key: sum(middle) // len(middle) for key, middle in one.items()} for one in found]


def _named(tallies: dict[Key, Tally], names: dict[Any, str]) -> list[Tally]:
    """Rows by what started most, then by name; no name for what has no shop."""
    for key, tally in tallies.items():
        tally.label = names.get(key, "")
    return sorted(tallies.values(), key=lambda one: (-one.started, one.label.casefold()))


def _named_steps(tallies: dict[Key, Tally], steps: Iterable[Step]) -> list[Tally]:
    """Rows by standard, newest version first, and place."""
    ordered = sorted(
        steps,
        key=lambda one: (one.version.name.casefold(), -one.version.number, one.position),
    )
    for step in ordered:
        version = step.version
        tallies[step.pk].label = f"{version.name} v{version.number} · {step.position}. {step.title}"
    return [tallies[step.pk] for step in ordered]
