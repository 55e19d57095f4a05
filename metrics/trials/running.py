"""What happens in the workspace of a trial: tables, files, figures, and the result beside them.

This runs in a process of its own, whose only database is the workspace's.
"""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import translation

from common.errors import DomainError
from common.services import SYSTEM
from common.time import now
from crm.imports.files import import_file
from crm.imports.mapping import parse_mapping
from crm.imports.rejects import read_rejects_file
from crm.models import ImportBatch
from metrics.services import recompute
from metrics.trials.findings import findings
from metrics.trials.workspace import (
    DATABASE,
    KNOWN,
    PLAN,
    PROGRESS,
    REJECTS_KEPT,
    RESULT,
    TEMPLATE,
    read_json,
    write_json,
)

PROBLEMS_KEPT = 20
log = structlog.get_logger(__name__)


class NoWorkspace(DomainError):
    """The folder is not the workspace of a trial, or this process has another database."""

    code = "no_trial_workspace"
    message = "run_trial is started by the sweep of trials, in a workspace of its own."


def run_trial(folder: Path) -> None:
    """Import the files of a workspace's plan, compute the figures and write the result.

    A file that can't be read ends the trial with its reason as the result.

    :raises NoWorkspace: called anywhere but in a workspace.
    """
    plan = read_json(folder / PLAN)
    is_own = settings.DATABASES["default"]["NAME"] == str(folder / DATABASE)
    if not plan or not is_own or Path(settings.KEEPWELL_DATA_DIR) != folder:
        raise NoWorkspace
    signal.alarm(int(plan["seconds"]))  # the sweep ends it sooner, if there still is one
    translation.activate(plan["language"])
    try:
        _make_tables(folder)
        call_command("loaddata", str(folder / KNOWN), verbosity=0)
        files = [_import(folder, place, file) for place, file in enumerate(plan["files"])]
        write_json(folder / PROGRESS, {"step": "figures"})
        run = recompute(now=now(), full=True)
        result: dict[str, Any] = {"files": files, "findings": findings(run)}
    except DomainError as error:
        result = {"error": str(error)}
    except Exception as error:
        log.exception("trial_failed")
        result = {"error": type(error).__name__}
    write_json(folder / RESULT, result)


def _make_tables(folder: Path) -> None:
    """Bring the copied empty database up to this release; keep it for the next trial."""
    write_json(folder / PROGRESS, {"step": "tables"})
    executor = MigrationExecutor(connection)
    if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return
    call_command("migrate", verbosity=0, interactive=False)
    connection.close()  # everything is in the one file then
    partial = folder / TEMPLATE
    shutil.copyfile(folder / DATABASE, partial)
    partial.replace(folder.parent / TEMPLATE)


def _import(folder: Path, place: int, file: dict[str, Any]) -> dict[str, Any]:
    write_json(folder / PROGRESS, {"step": "import", "file": place})
    rejects_path = folder / f"{place}.rejects.csv"
    outcome = import_file(
        kind=file["kind"],
        path=Path(file["path"]),
        mode=ImportBatch.Mode.HISTORY,
        actor=SYSTEM,
        happened_at=now(),
        mapping=parse_mapping(file["mapping"]),
        rejects_path=rejects_path,
    )
    counts = outcome.counts
    rejects = read_rejects_file(rejects_path, count=REJECTS_KEPT)
    return {
        "rows": outcome.rows,
        "rejected": outcome.rejected,
        "created": counts.created,
        "updated": counts.updated,
        "unchanged": counts.unchanged,
        "problems": outcome.problems[:PROBLEMS_KEPT],
        "ignored_columns": outcome.ignored_columns[:50],
        "rejects": [
            {"line": line, "column": column, "value": value, "reason": reason}
            for line, column, value, reason in rejects
        ],
    }
