"""``import_data KIND FILE``: bring in data from other systems; see docs/data-formats.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from common.command import Answer, KeepwellCommand
from common.services import SYSTEM
from common.time import now
from crm.imports.detection import look_at
from crm.imports.engine import Outcome
from crm.imports.files import import_file
from crm.imports.kinds import kinds
from crm.imports.mapping import Mapping, read_mapping
from crm.imports.presets import presets
from crm.models import ImportBatch


class Command(KeepwellCommand):
    """Import a CSV or XLSX file."""

    help = "Import customers, orders or other records from a CSV or XLSX file."

    def add_options(self, parser: CommandParser) -> None:
        """Kind, file and how to take it."""
        parser.add_argument("kind", choices=list(kinds()))
        parser.add_argument("file", type=Path)
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument(
            "--history",
            dest="mode",
            action="store_const",
            const=ImportBatch.Mode.HISTORY,
            default=ImportBatch.Mode.HISTORY,
            help="past facts: no points, messages or tasks (default)",
        )
        mode.add_argument(
            "--live",
            dest="mode",
            action="store_const",
            const=ImportBatch.Mode.LIVE,
            help="as if entered today",
        )
        reading = parser.add_mutually_exclusive_group()
        reading.add_argument("--mapping", type=Path, help="JSON file: names, constants, formats")
        reading.add_argument(
            "--preset", choices=list(presets()), help="how the export of a known program is read"
        )
        parser.add_argument("--dry-run", action="store_true", help="check only, write nothing")
        parser.add_argument("--rejects", type=Path, help="CSV file for the rows refused")

    def answer(self, **options: Any) -> Answer:
        """Import, and say what came of it."""
        path: Path = options["file"]
        rejects: Path | None = options["rejects"]
        if not path.is_file():
            raise ValidationError(_("There is no file %(path)s.") % {"path": path})
        if rejects and (rejects.is_dir() or not rejects.absolute().parent.is_dir()):
            raise ValidationError(_("%(path)s can't be written.") % {"path": rejects})
        outcome = import_file(
            kind=options["kind"],
            path=path,
            mode=str(options["mode"]),
            actor=SYSTEM,
            happened_at=now(),
            mapping=_mapping(path, options),
            is_dry_run=options["dry_run"],
            rejects_path=rejects,
            tell=self.stderr.write,
        )
        return _answer(outcome, is_dry_run=options["dry_run"])


def _mapping(path: Path, options: dict[str, Any]) -> Mapping | None:
    """Return the mapping that was asked for; with a preset, the rest is found out."""
    if options["mapping"]:
        return read_mapping(options["mapping"])
    if not options["preset"]:
        return None
    preset = presets()[options["preset"]]
    if preset.kind != options["kind"]:
        raise ValidationError(
            _("The preset %(preset)s is for files of %(kind)s.")
            % {"preset": preset.key, "kind": preset.kind}
        )
    findings = look_at(path)
    return findings.settle(preset.mapping_for(findings.header))


def _answer(outcome: Outcome, *, is_dry_run: bool) -> Answer:
    counts = outcome.counts
    data = {
        "kind": outcome.kind,
        "mode": outcome.mode,
        "dry_run": is_dry_run,
        "batch": outcome.batch,
        "resumed": outcome.was_resumed,
        "rows": outcome.rows,
        "created": counts.created,
        "updated": counts.updated,
        "unchanged": counts.unchanged,
        "rejected": outcome.rejected,
        "rejects": outcome.rejects,
        "ignored_columns": outcome.ignored_columns,
    }
    lines = [
        f"{outcome.kind}: {counts.created} created, {counts.updated} updated, "
        f"{counts.unchanged} unchanged; {outcome.rejected} of {outcome.rows} rows rejected"
        + (" (dry run, nothing was written)" if is_dry_run else ""),
        *(
            " ".join(
                part
                for part in (
                    f"line {reject['line']}",
                    reject["column"] and f"{reject['column']}={reject['value']!r}",
                    reject["reason"],
                )
                if part
            )
            for reject in outcome.rejects
        ),
    ]
    if outcome.ignored_columns:
        lines.append(f"ignored columns: {', '.join(outcome.ignored_columns)}")
    return Answer(data=data, lines=lines, is_complete=not outcome.rejected)
