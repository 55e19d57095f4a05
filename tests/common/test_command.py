"""Commands answer in one way: exit codes, one JSON document, refusals on stderr."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.management.base import CommandError

from common.command import Answer, KeepwellCommand
from common.errors import Conflict


class Taken(Conflict):
    code = "taken"
    message = "It is taken."


def run(behaviour: Any, *arguments: str) -> str:
    class Command(KeepwellCommand):
        def answer(self, **options: Any) -> Answer:
            if isinstance(behaviour, Exception):
                raise behaviour
            return behaviour

    out = StringIO()
    command = Command(stdout=out)
    try:
        call_command(command, *arguments)
    finally:
        run.out = out.getvalue()  # type: ignore[attr-defined]
    return out.getvalue()


def test_it_prints_exactly_one_json_document() -> None:
    moment = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    answer = Answer({"value": Decimal("1.50"), "at": moment, "name": "Кофе"}, lines=["Done."])
    out = run(answer, "--json")
    assert json.loads(out) == {"value": "1.50", "at": "2026-03-02T12:00:00Z", "name": "Кофе"}
    assert out.isascii()


def test_what_others_print_stays_out_of_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    class Chatty(KeepwellCommand):
        def answer(self, **options: Any) -> Answer:
            print("mail")
            return Answer({"sent": 1})

    call_command(Chatty(), "--json")

    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"sent": 1}
    assert printed.err == "mail\n"


def test_it_prints_lines_for_people() -> None:
    assert run(Answer({"n": 1}, lines=["One row.", "Done."])) == "One row.\nDone.\n"


def test_it_prints_the_document_for_people_when_there_are_no_lines() -> None:
    assert json.loads(run(Answer({"n": 1}))) == {"n": 1}


def test_a_refusal_exits_1_with_its_message() -> None:
    with pytest.raises(CommandError, match=r"It is taken\.") as refused:
        run(Taken())
    assert refused.value.returncode == 1
    assert run.out == ""


def test_a_refusal_with_json_is_a_document_too() -> None:
    with pytest.raises(CommandError):
        run(Taken(), "--json")
    assert json.loads(run.out) == {"code": "taken", "title": "It is taken."}


def test_a_value_that_cannot_be_understood_exits_2() -> None:
    with pytest.raises(CommandError) as refused:
        run(ValidationError("Enter a period."))
    assert refused.value.returncode == 2


def test_rejected_rows_exit_1_after_the_document() -> None:
    with pytest.raises(SystemExit) as stopped:
        run(Answer({"rejected": 2}, is_complete=False), "--json")
    assert stopped.value.code == 1
    assert json.loads(run.out) == {"rejected": 2}
