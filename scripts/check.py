"""Run every check of the code, two at a time; print one line for each, and all about what failed.

Names choose some of them: ``scripts/check.py ruff mypy``. Exit 1 when one fails.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PYTHON = sys.executable
APPS = (
    *("common", "accounts", "crm", "mailing", "loyalty"),
    *("feedback", "metrics", "outreach", "config"),
)


def commands() -> dict[str, list[str]]:
    """Return what to run, by name; the slowest first."""
    return {
        "mypy": [_bin("mypy"), "--no-error-summary", *APPS],
        "djlint": [_bin("djlint"), "templates", "--lint", "--quiet"],
        "bandit": [
            *(_bin("bandit"), "--quiet", "--severity-level", "medium"),
            *("--recursive", "--configfile", "pyproject.toml"),
            *APPS,
        ],
        "secrets": [
            # Passwords written into code are found by ruff (S105 to S107), with fewer false alarms.
            *(_bin("detect-secrets-hook"), "--disable-plugin", "KeywordDetector"),
            *("--exclude-lines", r"://user:password@|(?i:alphabet)\b.*="),
            *_tracked_files(),
        ],
        "layers": [_bin("lint-imports"), "--no-cache"],
        "deployment": [PYTHON, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        "migrations": [PYTHON, "manage.py", "makemigrations", "--check", "--dry-run"],
        "translations": [PYTHON, "scripts/check_translations.py"],
        "docs": [PYTHON, "scripts/check_docs.py"],
        "ruff": [_bin("ruff"), "check", "--quiet", "."],
        "format": [_bin("ruff"), "format", "--quiet", "--check", "--diff", "."],
    }


def _bin(name: str) -> str:
    return str(BIN / name)


def _tracked_files() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return [
        name
        for name in listed.stdout.splitlines()
        if not name.endswith((".lock", "package-lock.json", ".po", ".png", ".svg"))
        and (ROOT / name).is_file()
    ]


def production_environment(data_dir: str) -> dict[str, str]:
    """Return an environment as on a real server, so that the deployment check means something."""
    environment = {key: value for key, value in os.environ.items() if key != "DEBUG"}
    return environment | {
        "KEEPWELL_DATA_DIR": data_dir,
        "SECRET_KEY": "".join(chr(33 + (number * 37) % 94) for number in range(60)),
        "BASE_URL": "https://keepwell.example",
        "ALLOWED_HOSTS": "keepwell.example",
        "EMAIL_URL": "smtp://mail.example:25",
        "DATABASE_URL": f"sqlite:///{data_dir}/keepwell.sqlite3",
        "PYTHONWARNINGS": "ignore",
    }


def run(name: str, command: list[str], data_dir: str) -> bool:
    """Run one check and print its result; return whether it passed."""
    started = time.monotonic()
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=production_environment(data_dir),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    passed = done.returncode == 0
    line = f"{'ok  ' if passed else 'FAIL'} {name:<13}{time.monotonic() - started:5.1f} s"
    print(line if passed else f"{line}\n{done.stdout.rstrip()}\n", flush=True)
    return passed


def main(names: list[str]) -> int:
    """Run the named checks, or all; return the exit code."""
    chosen = {name: line for name, line in commands().items() if not names or name in names}
    if unknown := set(names) - chosen.keys():
        print(f"There is no check called {', '.join(sorted(unknown))}.")
        return 2
    with tempfile.TemporaryDirectory() as data_dir, ThreadPoolExecutor(2) as pool:
        results = list(pool.map(run, chosen, chosen.values(), repeat(data_dir)))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
