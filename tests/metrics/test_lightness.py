"""What a web process must not load."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {"numpy", "scipy", "ibis", "duckdb", "pyarrow", "pyroaring", "adbc_driver_manager"}


def test_a_web_process_starts_without_the_heavy_libraries() -> None:
    code = (
        "import django, sys; django.setup(); import config.wsgi; "
        "from django.urls import get_resolver; get_resolver().url_patterns; "
        "print(*sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={"DJANGO_SETTINGS_MODULE": "tests.settings", "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert HEAVY & set(answer.stdout.split()) == set()
