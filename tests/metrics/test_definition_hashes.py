"""A definition's hash changes with everything it is made of, and with nothing else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from metrics.kpis import KPIS, sources


@pytest.fixture(autouse=True)
def _read_anew() -> Iterator[None]:
    for one in (sources.source_hash, sources._parsed, sources._hash_of_one):
        one.cache_clear()
    yield
    for one in (sources.source_hash, sources._parsed, sources._hash_of_one):
        one.cache_clear()


def hashes() -> dict[str, str]:
    for one in (sources.source_hash, sources._parsed, sources._hash_of_one):
        one.cache_clear()
    return {key: kpi.definition_hash for key, kpi in KPIS.items()}


def changed_by(monkeypatch: pytest.MonkeyPatch, module: str, old: str, new: str) -> set[str]:
    """Which figures' hashes another text of a module changes."""
    before = hashes()
    path = sources._path_of(module)
    assert path is not None
    text = path.read_text()
    assert old in text
    read = Path.read_text
    monkeypatch.setattr(
        Path,
        "read_text",
        lambda self, **options: text.replace(old, new) if self == path else read(self, **options),
    )
    after = hashes()
    return {key for key in KPIS if before[key] != after[key]}


@pytest.mark.parametrize(
    ("module", "old", "new", "figure", "untouched"),
    [
        ("metrics.kpis.local_time", "DAY = 24", "DAY = 25", "days_between_orders", "nps"),
        ("metrics.kpis.local_time", "DAY = 24", "DAY = 25", "member_lift", "retention_rate"),
        ("metrics.kpis.lift", "RECENT_DAYS = 30", "RECENT_DAYS = 31", "member_lift", "nps"),
        ("metrics.kpis.revenue", "def revenue_between(", "def revenue_between(_it=0, *, ",
         "engaged_ratio", "retention_rate"),
    ],
)  # fmt: skip
def test_a_module_that_definitions_share_changes_the_hashes_of_those_that_use_it(
    monkeypatch: pytest.MonkeyPatch, module: str, old: str, new: str, figure: str, untouched: str
) -> None:
    changed = changed_by(monkeypatch, module, old, new)
    assert figure in changed
    assert untouched not in changed


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        (sources.FACTS, 'states.status != "cancelled"', "True"),
        ("metrics.windows", "LOOK_BACK_DAYS = 90", "LOOK_BACK_DAYS = 91"),
    ],
)
def test_what_all_definitions_see_changes_every_hash(
    monkeypatch: pytest.MonkeyPatch, module: str, old: str, new: str
) -> None:
    assert changed_by(monkeypatch, module, old, new) == set(KPIS)


def test_words_and_comments_change_none(monkeypatch: pytest.MonkeyPatch) -> None:
    words = "What members buy more than customers like them who didn't join."
    assert changed_by(monkeypatch, "metrics.kpis.lift", words, "Something else.") == set()
    said = "Compared with"
    assert changed_by(monkeypatch, "metrics.kpis.lift", said, "Beside them") == set()


def test_a_field_that_makes_another_figure_changes_the_hash() -> None:
    kpi = KPIS["member_lift"]
    assert replace(kpi, matures_days=30).definition_hash != kpi.definition_hash
    assert replace(kpi, compares_days=30).definition_hash != kpi.definition_hash
    assert replace(kpi, title="Another").definition_hash == kpi.definition_hash


def test_hashes_are_the_same_in_every_process_and_load_no_heavy_library() -> None:
    code = (
        "import django, sys; django.setup(); from metrics.kpis import KPIS; "
        "print(KPIS['clv_historic'].definition_hash, *{'ibis', 'numpy'} & set(sys.modules))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={"DJANGO_SETTINGS_MODULE": "tests.settings", "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.split() == [KPIS["clv_historic"].definition_hash]
