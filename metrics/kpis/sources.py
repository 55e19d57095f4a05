"""A hash of a definition with all it is made of, so that a change of either can be seen.

Only read, never imported: web processes ask for it too, and must not load what the text needs.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path

# What a definition may be made of; intervals, words and pages are not part of it.
FACTS = "metrics.engines.facts"
PARTS = ("metrics.kpis.", FACTS, "metrics.windows")
WORDS = frozenset({"_", "gettext", "ngettext", "pgettext", "pgettext_lazy"})


@cache
def source_hash(module: str) -> str:
    """Return a hash of the source of a module and of every part it imports, directly or not.

    Not of comments, docstrings and words for people: these may change freely. Nor the figures
    themselves: each says on its own what of it counts.
    """
    found: set[str] = set()
    waiting = {module, FACTS}  # every definition is given the facts
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting |= set(_parts_of(_parsed(name))) - found
    return _hash("".join(_hash_of_one(name) for name in sorted(found)))


@cache
def _hash_of_one(module: str) -> str:
    return _hash(ast.dump(_parsed(module)))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _parsed(module: str) -> ast.Module:
    path = _path_of(module)
    assert path is not None, module  # noqa: S101 - asked for those only that are there
    tree = ast.parse(path.read_text(encoding="utf-8"))
    _WithoutWords().visit(tree)
    return tree


def _parts_of(tree: ast.Module) -> Iterator[str]:
    """Yield the modules among the parts that are imported anywhere in one."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        for name in (node.module, *(f"{node.module}.{one.name}" for one in node.names)):
            if name.startswith(PARTS) and _path_of(name):
                yield name


@cache
def _path_of(module: str) -> Path | None:
    """Return the file of a module; None where the name isn't one, but of something in one."""
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec and spec.origin else None


class _WithoutWords(ast.NodeTransformer):
    """Takes away what is for people, and the figures."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        """Drop docstrings."""
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Empty what is translated, and the figures' own fields."""
        called = node.func.id if isinstance(node.func, ast.Name) else ""
        if called in WORDS or called == "Kpi":
            return ast.Constant(None)
        return self.generic_visit(node)
