"""What some tests need of the machine: a browser, PostgreSQL; and what CI doesn't let pass.

Without the thing, its tests are skipped with the reason. ``KEEPWELL_REQUIRED_TESTS=browser`` (or
``postgres``) makes the session fail when one of them was skipped or none ran at all.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.test import TransactionTestCase

IS_MUTATED = "MUTANT_UNDER_TEST" in os.environ  # by mutmut
EVERY_EXAMPLE = os.environ.get("CI") == "true" and not IS_MUTATED
if EVERY_EXAMPLE and os.environ.get("KEEPWELL_EVERY_EXAMPLE") != "1":
    hypothesis.settings.register_profile(
        "half", parent=hypothesis.settings.get_profile("ci"), max_examples=50
    )
    hypothesis.settings.load_profile("half")
elif not EVERY_EXAMPLE:
    # A mutant wants the same answer each time.
    steady: dict[str, Any] = {"derandomize": True, "database": None} if IS_MUTATED else {}
    hypothesis.settings.register_profile("everyday", max_examples=25, deadline=None, **steady)
    hypothesis.settings.load_profile("everyday")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_seen: Counter[tuple[str, str]] = Counter()


def tries(count: int) -> int:
    """How many generated examples to try.

    Half of them in CI, all with ``KEEPWELL_EVERY_EXAMPLE=1`` as well, else a quarter.
    """
    if os.environ.get("KEEPWELL_EVERY_EXAMPLE") == "1":
        return count
    return max(2, count // (2 if EVERY_EXAMPLE else 4))


def find_chromium() -> str | None:
    """Return the path of an installed Chromium, Playwright's own included; None without one."""
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    own = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH", Path.home() / ".cache/ms-playwright"))
    found = sorted(own.glob("chromium-*/chrome-linux*/chrome"))
    return str(found[-1]) if found else None


def session_is_on_postgres() -> bool:
    """Whether this test session runs on PostgreSQL."""
    return os.environ.get("DATABASE_URL", "").startswith(("postgres://", "postgresql://"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what this machine or session can't run; on PostgreSQL, leave out what asks no database.

    The slow ones come first, so that no worker ends long after the others.
    """
    no_browser = pytest.mark.skip(reason="there is no Chromium on this machine")
    no_postgres = pytest.mark.skip(reason="this session runs on SQLite")
    has_browser = find_chromium() is not None
    for item in items:
        if "postgres" in item.keywords and not session_is_on_postgres():
            item.add_marker(no_postgres)
        elif "browser" in item.keywords and not has_browser:
            item.add_marker(no_browser)
    items.sort(key=lambda item: not {"slow", "browser"} & set(item.keywords))
    if session_is_on_postgres():
        others = [item for item in items if not _asks_a_database(item)]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if _asks_a_database(item)]


def _asks_a_database(item: pytest.Item) -> bool:
    fixtures = set(getattr(item, "fixturenames", ()))
    if "any_database" in item.keywords:
        return False
    test_class = getattr(item, "cls", None)
    return bool(
        {"django_db", "postgres"} & set(item.keywords)
        or {"db", "transactional_db", "running", "calm"} & fixtures
        or (test_class is not None and issubclass(test_class, TransactionTestCase))
    )


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count by marker what was skipped and what passed."""
    for marker in ("browser", "postgres"):
        if marker not in report.keywords:
            continue
        if report.skipped and not (
            marker == "browser" and "postgres" in report.keywords and not session_is_on_postgres()
        ):
            _seen[marker, "skipped"] += 1
        elif report.when == "call" and report.passed:
            _seen[marker, "passed"] += 1


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the session when required tests were skipped or missing."""
    if hasattr(session.config, "workerinput"):
        return  # an xdist worker; its controller sees every report
    for marker in os.environ.get("KEEPWELL_REQUIRED_TESTS", "").split():
        skipped, passed = _seen[marker, "skipped"], _seen[marker, "passed"]
        if skipped or not passed:
            print(f"\nRequired {marker} tests: {passed} passed, {skipped} skipped.")
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
