"""The workspace of a trial: a data folder with a database of its own, and the process in it.

``KEEPWELL_DATA_DIR/trials/<ref>/``. The process knows the product's settings but no database, mail
server or broker of the installation. It inherits an open, locked file; as long as it lives the lock
is held, so that a killed one is seen at once, whatever became of its parent.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from django.conf import settings

DATABASE, LOCK, PLAN, KNOWN = "keepwell.sqlite3", "lock", "plan.json", "known.json"
PROGRESS, RESULT, TEMPLATE = "progress.json", "result.json", "empty.sqlite3"
# What an installation is told of the world outside: none of it is the trial's.
OUTSIDE = (
    "DATABASE_URL",
    "REDIS_URL",
    "EMAIL_URL",
    "SENTRY_DSN",
    "DJANGO_SETTINGS_MODULE",
    "DEBUG",
)
REJECTS_KEPT = 500  # of each file
NOWHERE = "redis://127.0.0.1:1/0"
_REF = re.compile(r"[a-z0-9]{6,16}")


def trials_folder() -> Path:
    """Return the folder of all workspaces of this installation."""
    return Path(settings.KEEPWELL_DATA_DIR) / "trials"


def workspace_of(ref: str) -> Path:
    """Return the folder of a trial, which may not be there."""
    return trials_folder() / ref


def prepare(ref: str, *, plan: dict[str, Any], known: Iterator[str]) -> None:
    """Make a trial's workspace anew; whatever an attempt that was killed left there goes.

    plan: for :mod:`metrics.trials.running`.  known: text of what the trial knows beforehand.
    """
    remove(ref)
    folder = workspace_of(ref)
    folder.mkdir(parents=True, mode=0o700)
    template = trials_folder() / TEMPLATE
    if template.exists():
        shutil.copyfile(template, folder / DATABASE)
    with (folder / KNOWN).open("w", encoding="utf-8") as file:
        file.writelines(known)
    write_json(folder / PLAN, plan)


def start(ref: str) -> None:
    """Start a trial's process, unless it runs."""
    folder = workspace_of(ref)
    with (folder / LOCK).open("a+") as lock, (folder / "log").open("ab") as log:
        if not _try(lock):
            return
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "manage.py", "run_trial", str(folder)],
            cwd=settings.BASE_DIR,
            env=environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(lock.fileno(),),
        )
        lock.truncate(0)
        lock.write(str(process.pid))


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a trial's process: this installation's, with nothing to write to.

    The secret key stays, because who was erased is known by hashes made with it.
    """
    kept = {name: value for name, value in os.environ.items() if name not in OUTSIDE}
    return kept | {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "KEEPWELL_DATA_DIR": str(folder),
        "DATABASE_URL": f"sqlite:///{folder / DATABASE}",
        "REDIS_URL": NOWHERE,
        "EMAIL_URL": "dummymail://",
        "SECRET_KEY": settings.SECRET_KEY,
        "SECRET_KEY_FALLBACKS": ",".join(settings.SECRET_KEY_FALLBACKS),
        "KEEPWELL_TIMEZONE": settings.KEEPWELL_TIMEZONE,
        "KEEPWELL_CURRENCY": settings.KEEPWELL_CURRENCY,
        "KEEPWELL_READABLE_LOGS": "true",
    }


def is_alive(ref: str) -> bool:
    """Whether a trial's process runs."""
    path = workspace_of(ref) / LOCK
    if not path.exists():
        return False
    with path.open("a+") as lock:
        return not _try(lock)


def end(ref: str) -> bool:
    """Kill a trial's process; return whether none runs any more.

    One that can't be seen from here (another container) goes on, until the sweep ends it.
    """
    path = workspace_of(ref) / LOCK
    if not path.exists():
        return True
    with path.open("a+") as lock:
        if _try(lock):
            return True
        lock.seek(0)
        number = lock.read()
        if not number.isdigit() or not _is_trial(int(number), ref):
            return False
        with suppress(ProcessLookupError):
            os.kill(int(number), signal.SIGKILL)
        fcntl.flock(lock, fcntl.LOCK_EX)  # until it is gone
        return True


def remove(ref: str) -> None:
    """End a trial's process and delete all it had; where that can't be, leave it to the sweep."""
    if end(ref):
        shutil.rmtree(workspace_of(ref), ignore_errors=True)


@contextmanager
def sweeping() -> Iterator[bool]:
    """Yield whether nobody else looks after the trials of this data folder just now."""
    trials_folder().mkdir(parents=True, exist_ok=True)
    with (trials_folder() / LOCK).open("a+") as lock:
        yield _try(lock)


def list_workspaces() -> list[str]:
    """Return the refs of all trials that have a folder."""
    try:
        entries = list(os.scandir(trials_folder()))
    except FileNotFoundError:
        return []
    return [entry.name for entry in entries if entry.is_dir() and _REF.fullmatch(entry.name)]


def size_of(ref: str) -> int:
    """Return how many bytes a workspace takes."""
    total = 0
    for path in workspace_of(ref).rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size
    return total


def read_json(path: Path) -> dict[str, Any]:
    """Return what a file of a workspace says; empty when it is not there or not whole."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Replace a file of a workspace in one step."""
    partial = path.with_suffix(".new")
    partial.write_text(json.dumps(content), encoding="utf-8")
    partial.replace(path)


def _is_trial(number: int, ref: str) -> bool:
    """Whether a process is the one of this trial; ids mean others in another container."""
    try:
        command = Path(f"/proc/{number}/cmdline").read_bytes()
    except OSError:
        return not Path("/proc").exists()
    return b"run_trial" in command and ref.encode() in command


def _try(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
