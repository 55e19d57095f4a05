"""``docs/capabilities.md`` says what the product can do; every test it names exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from django.conf import settings

PAGE = Path(settings.BASE_DIR) / "docs" / "capabilities.md"
ROW = re.compile(r"^\|(?P<sentence>[^|]+)\|(?P<tests>[^|]+)\|\s*$")
TEST = re.compile(r"(?P<path>tests/[\w/]+\.py)::(?P<name>[\w:]+)")


def rows() -> list[tuple[str, list[str]]]:
    """Sentence and test ids of each row; header and rule of the table left out."""
    found = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        match = ROW.match(line)
        if match and "::" in match["tests"]:
            ids = [part.strip(" `") for part in match["tests"].split(",")]
            found.append((match["sentence"].strip(), ids))
    return found


@cache
def names_in(path: Path) -> frozenset[str]:
    """Names of the tests in a file, those in classes as ``Class::test``."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            inner = [part.name for part in node.body if isinstance(part, ast.FunctionDef)]
            names |= {f"{node.name}::{name}" for name in inner}
    return frozenset(name for name in names if name.split("::")[-1].startswith("test_"))


def test_the_page_has_rows() -> None:
    assert PAGE.is_file()
    assert len(rows()) > 0


def test_every_row_is_a_sentence_with_tests_that_exist() -> None:
    wrong = []
    for sentence, ids in rows():
        if not sentence.endswith((".", "!", ")")):
            wrong.append(f"no sentence: {sentence}")
        for test in ids:
            match = TEST.fullmatch(re.sub(r"\[.*\]$", "", test))
            path = Path(settings.BASE_DIR) / match["path"] if match else None
            if match is None or path is None or not path.is_file():
                wrong.append(f"no such file: {test}")
            elif match["name"] not in names_in(path):
                wrong.append(f"no such test: {test}")
    assert not wrong, "\n".join(wrong)


def test_no_sentence_stands_there_twice() -> None:
    sentences = [sentence for sentence, _ids in rows()]
    assert sorted(set(sentences)) == sorted(sentences)
