"""The make targets, the image and CI fit together."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.running import ROOT

CONTRACT = {"demo", "test", "install", "check", "bench", "faults", "mutants", "help"}


def targets() -> set[str]:
    return set(re.findall(r"^([a-z./-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_every_target_of_the_contract_exists_and_is_explained() -> None:
    assert targets() >= CONTRACT
    explained = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert set(re.findall(r"make ([a-z]+)", explained)) >= CONTRACT


@pytest.mark.parametrize("file", ["Dockerfile", ".ci/run"])
def test_other_files_call_targets_that_exist(file: str) -> None:
    called = re.findall(r"(?:RUN make|^step) ([a-z./-]+)", (ROOT / file).read_text(), re.MULTILINE)
    assert called
    assert set(called) <= targets()


def test_files_copied_into_the_image_exist() -> None:
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for name in line.split()[1:-1]:
                assert (ROOT / name).exists(), name


def test_files_named_by_compose_and_image_exist() -> None:
    text = (ROOT / "compose.yaml").read_text() + (ROOT / "Dockerfile").read_text()
    for name in re.findall(r"\b(?:scripts|config)/\w+\.py", text):
        assert (ROOT / name).exists(), name


def test_ci_is_executable() -> None:
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
