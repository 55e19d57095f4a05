"""The base of Keepwell's commands: one way to answer, one set of exit codes.

0: done. 1: refused by a rule, or some rows were rejected. 2: the command line can't be understood.
"""

from __future__ import annotations

import json
import sys
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass, field
from typing import Any, NoReturn

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from common.errors import DomainError

REFUSED, USAGE = 1, 2


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command has to say.

    data: the JSON document; money and ratios as decimals, instants aware.
    lines: the same for people; without any, the document is printed for them too.
    is_complete: False when some rows were rejected (exit 1).
    """

    data: dict[str, Any] = field(default_factory=dict)
    lines: Sequence[str] = ()
    is_complete: bool = True


class KeepwellCommand(BaseCommand):
    """Subclasses write ``add_options`` and ``answer``.

    With ``--json`` stdout holds exactly one JSON document, also when the command was refused:
    then ``{"code": …, "title": …}``. People's messages about refusals go to stderr.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--json`` and whatever the command takes."""
        parser.add_argument("--json", action="store_true", help="print one JSON document")
        self.add_options(parser)

    def add_options(self, parser: CommandParser) -> None:
        """Add the command's own arguments."""

    @abstractmethod
    def answer(self, **options: Any) -> Answer:
        """Do the work and say what happened; refusals are raised."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Called by Django."""
        as_json = options.pop("json")
        # Whatever else prints on the way (mail to the console, say) must not spoil the document.
        elsewhere = redirect_stdout(sys.stderr) if as_json else nullcontext()
        try:
            with elsewhere:
                answer = self.answer(**options)
        except DomainError as error:
            self._refuse(as_json, error.code, str(error), REFUSED, error)
        except ValidationError as error:
            self._refuse(as_json, "invalid", " ".join(error.messages), USAGE, error)
        if as_json:
            self._print_document(answer.data)
        elif answer.lines:
            for line in answer.lines:
                self.stdout.write(line)
        elif answer.data:
            self._print_document(answer.data, indent=2)
        if not answer.is_complete:
            raise SystemExit(REFUSED)

    def _refuse(
        self, as_json: bool, code: str, title: str, exit_code: int, error: Exception
    ) -> NoReturn:
        if as_json:
            self._print_document({"code": code, "title": title})
        raise CommandError(title, returncode=exit_code) from error

    def _print_document(self, data: dict[str, Any], indent: int | None = None) -> None:
        # Escaped to ASCII, so that no terminal's encoding can break it; NaN is not JSON.
        self.stdout.write(json.dumps(data, cls=DjangoJSONEncoder, indent=indent, allow_nan=False))
