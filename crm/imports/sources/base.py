"""What a file becomes: a header, and chunks of columns below it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext_lazy

from common.errors import InvalidInput

CHUNK_ROWS = 10_000
CHUNK_CHARACTERS = 8_000_000  # a chunk of huge cells ends earlier
Refuse = Callable[[int, str, str, str], None]  # line, column, value, reason
Row = tuple[int, list[str] | str]  # line; its cells, or why it can't be read


class UnreadableFile(InvalidInput):
    """The file as a whole is not what it should be; nothing was imported."""

    code = "import_unreadable"
    message = gettext_lazy("The file can't be read.")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows as columns of text. lines: where each row begins in the file, from 1."""

    lines: Sequence[int]
    columns: dict[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Source:
    """A header and the chunks below it; ``chunks(refuse)`` can be called once."""

    header: list[str]
    chunks: Callable[[Refuse], Iterable[Chunk]]
