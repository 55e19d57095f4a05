"""Columns of import files: how a cell becomes a stored value, each distinct text read once."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from common import validators
from common.money import to_units
from common.spreadsheets import plain_cell
from common.time import FIRST_YEAR, LAST_YEAR
from crm.imports.mapping import Mapping, ValueMap

Stored = str | int | None
MEMO_LIMIT = 50_000  # distinct texts remembered per column, whatever the size of the file
NO_MONEY = Decimal(0)
_UTC = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\dZ", re.ASCII)
LANGUAGE_NAMES = {"zh": "zh-hans", "zh-cn": "zh-hans", "cn": "zh-hans"}


@dataclass(frozen=True, slots=True)
class Bad:
    """Stands in a column where a cell could not be used.

    is_secret: nothing of its row may be kept, not even to show what was refused.
    """

    reason: str
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a kind of file. parse: non-empty text → stored value, or ValidationError."""

    name: str
    parse: Callable[[str], Stored]
    is_required: bool = False


class Memo(dict[str, "Stored | Bad"]):
    """Reads each distinct text once, since dates, prices and codes repeat."""

    def __init__(self, column: Column, value_map: ValueMap | None = None) -> None:
        super().__init__()
        self.column = column
        self.value_map = value_map
        self.has_bad = False

    def __missing__(self, text: str) -> Stored | Bad:
        value = self[text] = self._read(text)
        return value

    def _read(self, text: str) -> Stored | Bad:
        stripped = plain_cell(text.strip()).strip()  # what an export put before a formula
        if self.value_map is not None:
            stripped = self.value_map.translate(stripped)
        if not stripped:
            if not self.column.is_required:
                return None
            self.has_bad = True
            return Bad(_("Fill this in."))
        try:
            return self.column.parse(stripped)
        except ValidationError as error:
            self.has_bad = True
            return Bad(" ".join(error.messages))

    def read(self, texts: Sequence[str]) -> list[Stored | Bad]:
        """Return the stored values of one chunk of the column."""
        if len(self) > MEMO_LIMIT:
            self.clear()
        return list(map(self.__getitem__, texts))


def line(max_length: int = validators.MAX_LINE) -> Callable[[str], Stored]:
    """One line of clean text."""
    return lambda text: validators.clean_line(text, max_length=max_length) or None


def choice(*allowed: str) -> Callable[[str], Stored]:
    """One of a few codes, in any case."""

    def parse(text: str) -> Stored:
        code = text.casefold()
        if code not in allowed:
            raise ValidationError(
                _("Enter one of: %(allowed)s.") % {"allowed": ", ".join(allowed)}, code="choice"
            )
        return code

    return parse


def amount(mapping: Mapping) -> Callable[[str], Stored]:
    """An amount or quantity, zero or more, in 1/10,000 units."""

    def parse(text: str) -> Stored:
        return to_units(validators.parse_decimal(mapping.number(text), lowest=NO_MONEY))

    return parse


def whole(text: str) -> Stored:
    """A whole number, zero or more."""
    return validators.parse_integer(text, lowest=0)


def instant(mapping: Mapping) -> Callable[[str], Stored]:
    """An instant as sortable UTC text, the same in both databases' dialects."""
    timezone = mapping.zone

    def parse(text: str) -> Stored:
        if _UTC.fullmatch(text) and not mapping.date_format:
            with suppress(ValueError):
                moment = datetime.fromisoformat(text)
                if FIRST_YEAR <= moment.year < LAST_YEAR:
                    return f"{text[:10]} {text[11:19]}"  # as it is: most files say so
        return stored_instant(validators.parse_instant(mapping.local_time(text), timezone=timezone))

    return parse


def stored_instant(moment: datetime) -> str:
    """Return an aware instant as ``YYYY-MM-DD HH:MM:SS[.ffffff]`` in UTC."""
    return str(moment.astimezone(UTC).replace(tzinfo=None))


def day(mapping: Mapping) -> Callable[[str], Stored]:
    """A calendar date as ISO text; a time of day is cut off."""

    def parse(text: str) -> Stored:
        moment = mapping.local_time(text)
        if isinstance(moment, str) and re.fullmatch(
            r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?([+-]\d{2}:?\d{2}|Z)?", moment
        ):
            moment = moment[:10]  # the day as it is written; never moved to another timezone
        return validators.parse_date(moment).isoformat()

    return parse


def boolean(text: str) -> Stored:
    """Yes or no."""
    return int(validators.parse_boolean(text))


def words(text: str) -> Stored:
    """Several names, split at semicolons, commas or bars; kept one a line, sorted.

    One that holds such a sign itself stands in double quotes, those in it doubled.
    """
    found = re.findall(r'\s*"((?:[^"]|"")+)"\s*(?=[;,|]|$)|([^;,|]+)', text)
    names = {
        validators.clean_line(quoted.replace('""', '"') or bare, max_length=60)
        for quoted, bare in found
    }
    return "\n".join(sorted(names - {""})) or None


def email(text: str) -> Stored:
    """An address as written; its comparable form is checked too."""
    validators.clean_email(text)
    return validators.clean_line(text, max_length=254)


def phone(text: str) -> Stored:
    """A number as written; its comparable form is checked too."""
    validators.clean_phone(text)
    return validators.clean_line(text, max_length=40)


def language(text: str) -> Stored:
    """A language code such as ``en``, ``pt-br`` or ``zh-hans``."""
    code = text.casefold().replace("_", "-")
    if not re.fullmatch(r"[a-z]{2,3}(-[a-z0-9]{2,6})?", code):
        raise ValidationError(_("Enter a language code such as en or ru."), code="language")
    return LANGUAGE_NAMES.get(code, code)
