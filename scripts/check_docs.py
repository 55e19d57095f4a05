"""Check that the docs are complete: commands, settings, capabilities, links, rooms' README files.

Prints each flaw and exits 1 when there is one.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VARIABLE = re.compile(r"(?:env\.(?:str|list)\(|_(?:boolean|text|count)\(\s*env,)\s*\"([A-Z_]+)\"")
INTERNAL = frozenset({"KEEPWELL_DEMO", "KEEPWELL_READABLE_LOGS"})  # `up` tells its own children
TEST_ID = re.compile(r"(tests/[\w/]+\.py)(?:::(\w+(?:::\w+)?))?")
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
MAXIMUM_README_LINES = 40


def undocumented_commands() -> Iterator[str]:
    """Every management command stands in docs/guide/commands.md."""
    text = _read("docs/guide/commands.md")
    for path in sorted(ROOT.glob("*/management/commands/*.py")):
        if not path.stem.startswith("_") and f"`{path.stem}" not in text:
            yield f"docs/guide/commands.md: `{path.stem}` is not described"


def undocumented_variables() -> Iterator[str]:
    """Every environment variable stands in docs/guide/settings.md, and no other one does."""
    text = _read("docs/guide/settings.md")
    read = set(VARIABLE.findall(_read("config/environment.py"))) - INTERNAL
    described = set(re.findall(r"^\| `([A-Z_]+)`", text, re.MULTILINE))
    for name in sorted(read - described):
        yield f"docs/guide/settings.md: `{name}` is not described"
    for name in sorted(described - read):
        yield f"docs/guide/settings.md: `{name}` is read by nothing"


def unproven_capabilities() -> Iterator[str]:
    """Every capability names tests, and each of them exists."""
    path = ROOT / "docs" / "capabilities.md"
    if not path.exists():
        yield "docs/capabilities.md is missing"
        return
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line.startswith("|") or re.match(r"\|\s*(:?-+|Capability)", line):
            continue
        ids = TEST_ID.findall(line)
        if not ids:
            yield f"docs/capabilities.md:{number}: names no test"
        for file, name in ids:
            if name not in _tests_in(file):
                yield f"docs/capabilities.md:{number}: there is no {file}::{name}"


@cache
def _tests_in(file: str) -> frozenset[str]:
    path = ROOT / file
    if not path.exists():
        return frozenset()
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            names.update(
                f"{node.name}::{method.name}"
                for method in node.body
                if isinstance(method, ast.FunctionDef)
            )
    return frozenset(name for name in names if name.rpartition("::")[2].startswith("test_"))


def broken_links() -> Iterator[str]:
    """Every relative link of a Markdown file leads to a file."""
    paths = [*ROOT.glob("*.md"), *ROOT.glob("*/README.md"), *(ROOT / "docs").rglob("*.md")]
    for path in sorted(paths):
        if path.parent.name == "node_modules":
            continue
        for target in LINK.findall(path.read_text()):
            if "://" in target or target.startswith("mailto:"):
                continue
            if not (path.parent / target).exists():
                yield f"{path.relative_to(ROOT)}: the link to {target} leads nowhere"


def rooms_without_readme() -> Iterator[str]:
    """Every app says in at most 40 lines what it owns."""
    for app in sorted(path.parent for path in ROOT.glob("*/apps.py")):
        readme = app / "README.md"
        if app.name == "config":
            continue
        if not readme.exists():
            yield f"{app.name}/README.md is missing"
        elif len(readme.read_text().splitlines()) > MAXIMUM_README_LINES:
            yield f"{app.name}/README.md is longer than {MAXIMUM_README_LINES} lines"


def _read(path: str) -> str:
    file = ROOT / path
    return file.read_text() if file.exists() else ""


CHECKS = (
    undocumented_commands,
    undocumented_variables,
    unproven_capabilities,
    broken_links,
    rooms_without_readme,
)


def main() -> int:
    """Check everything; return the exit code."""
    flaws = [flaw for check in CHECKS for flaw in check()]
    for flaw in flaws:
        print(flaw)
    return 1 if flaws else 0


if __name__ == "__main__":
    sys.exit(main())
