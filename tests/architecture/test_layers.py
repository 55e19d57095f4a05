"""An app knows only those below it, and a web process starts light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings

STACK = list(reversed(settings.KEEPWELL_APPS))  # from the bottom up
HEAVY = [
    "numpy", "pandas", "scipy", "duckdb", "ibis", "pyarrow", "pyroaring", "adbc_driver_manager",
    "polars", "openpyxl", "faker",
]  # fmt: skip
MODULE_LINES = 500


def test_every_foreign_key_points_down_the_stack() -> None:
    """Foreign keys written as text are invisible to import-linter, so they are walked here."""
    upward = []
    for model in apps.get_models():
        if model._meta.app_label not in STACK:
            continue
        height = STACK.index(model._meta.app_label)
        for field in [*model._meta.fields, *model._meta.many_to_many]:
            target = field.related_model
            if target is None or isinstance(target, str) or target._meta.app_label not in STACK:
                continue
            if STACK.index(target._meta.app_label) > height:
                upward.append(f"{model._meta.label}.{field.name} → {target._meta.label}")
    assert upward == []


def test_every_app_of_the_stack_is_installed_and_has_a_readme() -> None:
    for name in STACK:
        readme = Path(apps.get_app_config(name).path) / "README.md"
        assert readme.is_file(), f"{name} has no README.md"
        assert len(readme.read_text().splitlines()) <= 40, readme


def test_no_module_outgrows_a_screenful_of_screens() -> None:
    long = []
    for name in [*STACK, "config"]:
        for path in Path(settings.BASE_DIR / name).rglob("*.py"):
            lines = len(path.read_text().splitlines())
            if lines > MODULE_LINES and "migrations" not in path.parts:
                long.append(f"{path}: {lines}")
    assert long == []


@pytest.mark.parametrize("statement", ["import config.wsgi", "import config.celery"])
def test_no_heavy_library_is_loaded_when_a_process_starts(statement: str) -> None:
    """The web process answers with them unloaded; a worker loads them when it computes."""
    code = (
        f"{statement}\nimport sys\nimport django\ndjango.setup()\n"
        "from django.urls import get_resolver\nget_resolver().url_patterns\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=settings.BASE_DIR,
        env={"DJANGO_SETTINGS_MODULE": "tests.settings", "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == []
