"""What an auditor is given: one file with the standards of a period and how they were kept."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import IO, Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from common.services import record_event
from common.spreadsheets import csv_lines
from common.time import organisation_timezone
from crm.models import PlaybookVersion, Run, StepResult
from crm.selectors.actors import names_of_actors
from crm.selectors.playbooks import versions_in_force
from crm.selectors.runs import is_late
from crm.selectors.scorecard import scorecard
from crm.standards.content import content_of
from crm.standards.wording import text_in

IN_MEMORY = 4 << 20  # bytes; a larger file goes to the disk
PORTION = 2_000
READ_ME = """\
Service standards: what they were, and how they were kept.

standards.csv  every wording in force in the period, or followed in it, step by step
runs.csv       every time a standard was followed in the period: for whom, when, by whom
steps.csv      every step of these: who did it and when, late or not, skipped or left and why
audit.json     the same wordings whole, the scorecard with its counts, and SHA-256 sums of the files

Times are local with their offset from UTC. Customers are named by their number only. A run is on
time when it was completed by the due time of its last step with every required step done. A cell
that begins with an apostrophe held text that a spreadsheet would have run as a formula.
"""


@transaction.atomic
def export_audit(
    *,
    since: datetime,
    until: datetime,
    with_answers: bool,
    happened_at: datetime,
    actor: str,
) -> IO[bytes]:
    """Return a ZIP about the period ``[since, until)``, open at its beginning; it is recorded.

    What was followed in the period is told whole, what came after its end included.
    with_answers: also what was written down about customers, which may be personal. Why steps
        were skipped and runs given up is always told.
    """
    runs = _runs(since, until)
    versions = versions_in_force(since, until)
    names = names_of_actors(_actors(runs, versions) | {actor})
    sums: dict[str, str] = {}
    counts: dict[str, int] = {}
    target = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - the caller closes it
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, header, rows in (
            ("standards.csv", _standards_header(), _standards_rows(versions, names)),
            ("runs.csv", RUNS_HEADER, _run_rows(runs, names)),
            ("steps.csv", STEPS_HEADER, _step_rows(runs, names, happened_at, with_answers)),
        ):
            sums[name], counts[name] = _add(archive, name, header, rows)
        document = {
            "since": _time(since),
            "until": _time(until),
            "made_at": _time(happened_at),
            "made_by": names.get(actor, actor),
            "with_answers": with_answers,
            "rows": counts,
            "sha256": sums,
            "standards": [_document(version, names) for version in versions],
            "scorecard": {
                part: [asdict(tally) for tally in tallies]
                for part, tallies in scorecard(since, until, now=happened_at).parts()
            },
        }
        archive.writestr("audit.json", json.dumps(document, ensure_ascii=False, indent=2))
        archive.writestr("README.txt", READ_ME)
    record_event(
        kind="playbook.audited",
        subject_kind="standards",
        subject_ref="audit",
        occurred_at=happened_at,
        actor=actor,
        codes={
            "since": since.isoformat(),
            "until": until.isoformat(),
            "runs": counts["runs.csv"],
            "with_answers": with_answers,
        },
    )
    target.seek(0)
    return target


RUNS_HEADER = (
    "run", "standard", "version", "customer", "shop", "started_by", "starts", "started_at",
    "due_at", "state", "ended_at", "ended_by", "on_time", "reason",
)  # fmt: skip
STEPS_HEADER = (
    "run", "standard", "version", "step", "title", "class", "role", "required", "done_when",
    "due_at", "state", "decided_at", "by", "late", "evidence", "reason", "answer",
)  # fmt: skip


def _runs(since: datetime, until: datetime) -> QuerySet[Run]:
    return Run.objects.filter(started_at__lt=until).filter(
        Q(ended_at__isnull=True) | Q(ended_at__gte=since)
    )


def _actors(runs: QuerySet[Run], versions: Iterable[PlaybookVersion]) -> set[str]:
    results = StepResult.objects.filter(run__in=runs)
    return (
        {version.author for version in versions}
        | set(runs.order_by().values_list("started_by", flat=True).distinct())
        | set(runs.order_by().values_list("ended_by", flat=True).distinct())
        | set(results.order_by().values_list("actor", flat=True).distinct())
    )


def _standards_header() -> list[str]:
    codes = [code for code, _language in settings.LANGUAGES]
    return [
        "standard", "version", "published_at", "published_by", "starts",
        *[f"name_{code}" for code in codes],
        *[f"purpose_{code}" for code in codes],
        "step", "class", "role", "required", "due_after_minutes", "done_when",
        *[f"title_{code}" for code in codes],
        *[f"guidance_{code}" for code in codes],
    ]  # fmt: skip


def _standards_rows(versions: list[PlaybookVersion], names: dict[str, str]) -> Iterator[list[Any]]:
    codes = [code for code, _language in settings.LANGUAGES]
    for version in versions:
        head = [
            version.playbook.key,
            version.number,
            _time(version.published_at),
            names.get(version.author, version.author),
            version.trigger,
            *[version.names.get(code, "") for code in codes],
            *[version.purposes.get(code, "") for code in codes],
        ]
        for step in version.steps.all():
            yield [
                *head,
                step.position,
                step.five_p,
                step.role,
                _yes(step.is_required),
                step.offset_minutes,
                step.done_when,
                *[step.titles.get(code, "") for code in codes],
                *[step.guidance.get(code, "") for code in codes],
            ]


def _run_rows(runs: QuerySet[Run], names: dict[str, str]) -> Iterator[list[Any]]:
    lacking = set(
        StepResult.objects.filter(run__in=runs, step__is_required=True)
        .exclude(state=StepResult.State.DONE)
        .values_list("run_id", flat=True)
    )
    found = runs.select_related("version__playbook", "customer", "location")
    for run in found.order_by("started_at", "pk").iterator(PORTION):
        in_time = run.ended_at is not None and run.ended_at <= run.due_at
        kept = run.state == Run.State.COMPLETED and in_time and run.pk not in lacking
        yield [
            run.ref,
            run.version.playbook.key,
            run.version.number,
            run.customer.ref,
            run.location.code if run.location else "",
            names.get(run.started_by, run.started_by),
            run.trigger,
            _time(run.started_at),
            _time(run.due_at),
            run.state,
            _time(run.ended_at),
            names.get(run.ended_by, run.ended_by),
            "" if run.state == Run.State.OPEN else _yes(kept),
            run.ended_why,
        ]


def _step_rows(
    runs: QuerySet[Run], names: dict[str, str], now: datetime, with_answers: bool
) -> Iterator[list[Any]]:
    found = StepResult.objects.filter(run__in=runs).select_related("run", "step__version__playbook")
    ordered = found.order_by("run__started_at", "run_id", "step__position")
    for result in ordered.iterator(PORTION):
        step = result.step
        is_done = result.state == StepResult.State.DONE
        yield [
            result.run.ref,
            step.version.playbook.key,
            step.version.number,
            step.position,
            text_in(step.titles, settings.LANGUAGE_CODE),
            step.five_p,
            step.role,
            _yes(step.is_required),
            step.done_when,
            _time(result.due_at),
            result.state,
            _time(result.decided_at),
            names.get(result.actor, result.actor),
            _yes(is_late(result, now)),
            f"{result.evidence_kind}:{result.evidence_ref}" if result.evidence_ref else "",
            "" if is_done else result.text,
            result.text if is_done and with_answers else "",
        ]


def _document(version: PlaybookVersion, names: dict[str, str]) -> dict[str, Any]:
    return {
        "standard": version.playbook.key,
        "version": version.number,
        "published_at": _time(version.published_at),
        "published_by": names.get(version.author, version.author),
        **content_of(version).as_document(),
    }


def _add(
    archive: zipfile.ZipFile, name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]
) -> tuple[str, int]:
    """Write a CSV file; its SHA-256 and how many rows it has."""
    digest, count = hashlib.sha256(), -1
    with archive.open(name, "w") as raw, io.BufferedWriter(raw) as file:
        for line in csv_lines(header, rows):
            data = line.encode()
            digest.update(data)
            file.write(data)
            count += 1
    return digest.hexdigest(), count


def _time(moment: datetime | None) -> str:
    if moment is None:
        return ""
    return moment.astimezone(organisation_timezone()).isoformat(timespec="seconds")


def _yes(value: bool) -> str:
    return "yes" if value else "no"
