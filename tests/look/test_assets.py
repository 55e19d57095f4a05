"""What browsers are served comes from the lock file, complete, small and without strangers."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scripts import build_assets

ROOT = build_assets.ROOT
VENDOR = build_assets.VENDOR


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    """`make test` builds them first; alone, this does."""
    subprocess.run([sys.executable, "scripts/build_assets.py"], cwd=ROOT, check=True)


def test_a_second_run_has_nothing_to_do_and_is_quick() -> None:
    started = time.perf_counter()
    run = subprocess.run(
        [sys.executable, "scripts/build_assets.py"], cwd=ROOT, capture_output=True, text=True
    )
    assert run.stdout == "Assets are up to date.\n"
    assert time.perf_counter() - started < 2  # 0.05 s on an idle machine


def test_without_npm_the_wheel_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_assets.shutil, "which", lambda name, **_options: None)
    command = build_assets.npm_command()
    assert command[0] == sys.executable
    version = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert re.match(r"\d+\.\d+", version.stdout)


def test_without_either_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_assets.shutil, "which", lambda name, **_options: None)
    monkeypatch.setattr(build_assets.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="uv sync"):
        build_assets.npm_command()


def test_the_lock_file_names_no_host() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert not [name for name, package in packages.items() if "resolved" in package]
    assert all(package["integrity"] for name, package in packages.items() if name)


def test_every_icon_that_is_named_exists() -> None:
    sprite = set(re.findall(r'<symbol id="([^"]+)"', (VENDOR / "icons.svg").read_text()))
    missing = {}
    for path in (ROOT / "templates").rglob("*.html"):
        named = set(build_assets.ICON_IN_TEMPLATE.findall(path.read_text()))
        if named - sprite:
            missing[str(path.relative_to(ROOT))] = named - sprite
    assert missing == {}


def test_every_icon_of_the_menu_and_the_timeline_exists() -> None:
    from common.registry import event_renderers, menu_entries

    sprite = set(re.findall(r'<symbol id="([^"]+)"', (VENDOR / "icons.svg").read_text()))
    named = {entry.icon for entry in menu_entries}
    named |= {renderer.icon for renderer in event_renderers.values()}
    assert named - sprite == set()


def test_nothing_points_to_a_source_map_or_another_host() -> None:
    for path in VENDOR.iterdir():
        if path.suffix not in {".css", ".js"}:
            continue
        text = path.read_text()
        assert "sourceMappingURL" not in text, path.name
        assert not re.search(r"(@import|url\()\s*[\"']?https?:", text), path.name


def test_a_staff_page_without_charts_is_within_250_kilobytes() -> None:
    from django.contrib.staticfiles import finders

    head = (ROOT / "templates" / "base_skeleton.html").read_text()
    names = set(re.findall(r"{% asset '([^']+)' %}", head))
    names -= {"js/charts.js", "vendor/charts-engine.js"}
    names |= {"vendor/icons.svg", "vendor/inter-cyrillic.woff2"}
    sizes = {}
    for name in names:
        content = Path(str(finders.find(name))).read_bytes()
        sizes[name] = len(content if name.endswith("woff2") else gzip.compress(content, 6))
    assert sum(sizes.values()) < 250_000, sizes


def test_licences_of_what_is_served_are_served_too() -> None:
    text = (VENDOR / "licences.txt").read_text()
    for name in build_assets.LICENCES.values():
        assert name in text
