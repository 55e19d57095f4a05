"""How a file from another system is to be read: its names, constants, times and numbers."""

from __future__ import annotations

import codecs
import json
import zoneinfo
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from common.time import organisation_timezone
from common.validators import clean_line, parse_timezone
from crm.imports.formats import plain_number, read_time

MATCHES = ("", "external_id", "email", "phone")
OVERWRITES = ("filled", "empty", "nothing")


class ValueMap(dict[str, str]):
    """Their texts → ours, in any case; the empty text is an empty cell, ``a*`` begins with a."""

    def translate(self, text: str) -> str:
        """Return our text for theirs, or theirs where there is none."""
        key = text.casefold()
        for theirs, ours in self.items():
            folded = theirs.casefold()
            if folded == key or (folded.endswith("*") and key.startswith(folded[:-1]) and key):
                return ours
        return text


@dataclass(frozen=True, slots=True)
class Mapping:
    """columns: name in the file → our name; empty leaves the column out.

    A name such as ``First name + Last name`` joins columns, ``SKU | Name`` takes the first filled.
    constants: our name → value of every row.  values: our name → their text → our text.
    fill_down: their column → their columns; empty cells of these take what stands in the row above
    if that has the same value in the first (or that one is empty and among them).
    only_with: their column; rows with nothing in it are passed over.
    timezone: IANA name of naive times; empty means the organisation's.
    date_format: ``strptime`` format, or ``excel`` for days since 1900; empty means ISO 8601.
    delimiter: of a text file; a blank means runs of blanks, empty means found out.
    encoding: of a text file; empty means found out.  sheet: of a workbook; empty means the first.
    has_header: whether the first row names the columns; else they are called ``1``, ``2``, …
    match_by: by what a customer is known: external id (empty), ``email`` or ``phone``; in files of
    customers, and wherever a file refers to a customer.
    overwrite: what a known record takes from the file: every ``filled`` cell, only where it is
    ``empty`` so far, or ``nothing``.  kept: columns that are never overwritten.
    create_missing: customers and products that a file of purchases names and nobody knows are made.
    number_orders: purchases have no ids; each row is one, known by customer, time and occurrence.
    """

    columns: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    values: dict[str, ValueMap] = field(default_factory=dict)
    fill_down: dict[str, tuple[str, ...]] = field(default_factory=dict)
    only_with: str = ""
    timezone: str = ""
    decimal_comma: bool = False
    date_format: str = ""
    delimiter: str = ""
    encoding: str = ""
    sheet: str = ""
    has_header: bool = True
    match_by: str = ""
    overwrite: str = "filled"
    kept: tuple[str, ...] = ()
    create_missing: bool = False
    number_orders: bool = False

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The timezone of naive times."""
        return zoneinfo.ZoneInfo(self.timezone) if self.timezone else organisation_timezone()

    def number(self, text: str) -> str:
        """Return a number's text with a decimal point, without group separators and currency."""
        return plain_number(text, decimal_comma=self.decimal_comma)

    def local_time(self, text: str) -> str | datetime:
        """Return a time as ISO text, or as what ``date_format`` makes of it.

        :raises ValidationError: the text does not follow the format.
        """
        return read_time(text, self.date_format)

    def digest(self) -> str:
        """Return the mapping as canonical text, for telling one import from another."""
        return json.dumps(asdict(self), sort_keys=True)


def read_mapping(path: Path) -> Mapping:
    """Return the mapping of a JSON file.

    :raises ValidationError: not readable, or not what a mapping looks like.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ValidationError(_("The mapping file can't be read as JSON.")) from error
    return parse_mapping(content)


def parse_mapping(content: Any) -> Mapping:
    """Return the mapping of a JSON object.

    :raises ValidationError: not what a mapping looks like.
    """
    if not isinstance(content, dict):
        raise ValidationError(_("The mapping file must hold one JSON object."))
    if unknown := sorted(content.keys() - {option.name for option in fields(Mapping)}):
        raise ValidationError(
            _("The mapping file has unknown settings: %(names)s.") % {"names": ", ".join(unknown)}
        )
    kept = content.get("kept") or []
    if not isinstance(kept, list | tuple) or not all(isinstance(name, str) for name in kept):
        raise ValidationError(_("“%(name)s” must be a list of texts.") % {"name": "kept"})
    return Mapping(
        columns=_texts(content, "columns"),
        constants=_texts(content, "constants"),
        values=_values(content),
        fill_down=_fill_down(content),
        only_with=clean_line(content.get("only_with") or "", max_length=255),
        timezone=parse_timezone(content["timezone"]) if content.get("timezone") else "",
        decimal_comma=content.get("decimal_comma") is True,
        date_format=clean_line(content.get("date_format") or "", max_length=60),
        delimiter=_delimiter(content.get("delimiter", "")),
        encoding=_encoding(content.get("encoding", "")),
        sheet=clean_line(content.get("sheet") or "", max_length=60),
        has_header=content.get("has_header") is not False,
        match_by=_one_of(content, "match_by", MATCHES).removeprefix("external_id"),
        overwrite=_one_of(content, "overwrite", OVERWRITES) or "filled",
        kept=tuple(sorted(kept)),
        create_missing=content.get("create_missing") is True,
        number_orders=content.get("number_orders") is True,
    )


def _one_of(content: dict[str, Any], name: str, allowed: Sequence[str]) -> str:
    value = content.get(name) or ""
    if value and value not in allowed:
        shown = ", ".join(one for one in allowed if one)
        raise ValidationError(
            _("“%(name)s” must be one of: %(allowed)s.") % {"name": name, "allowed": shown}
        )
    return str(value)


def _encoding(value: Any) -> str:
    if value in ("", None):
        return ""
    try:
        name = codecs.lookup(value).name
        if not isinstance(b"a,1".decode(name, "replace"), str):
            raise LookupError
    except (LookupError, TypeError, ValueError) as error:
        raise ValidationError(_("This text encoding is not known.")) from error
    return name


def _values(content: dict[str, Any]) -> dict[str, ValueMap]:
    given = content.get("values") or {}
    if not isinstance(given, dict):
        raise ValidationError(_("“%(name)s” must be an object of objects.") % {"name": "values"})
    return {str(ours): ValueMap(_texts(given, ours)) for ours in given}


def _fill_down(content: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    given = content.get("fill_down") or {}
    if not isinstance(given, dict) or not all(
        isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
        for names in given.values()
    ):
        raise ValidationError(_("“%(name)s” must be an object of lists.") % {"name": "fill_down"})
    return {str(key): tuple(names) for key, names in given.items()}


def _texts(content: dict[str, Any], name: str) -> dict[str, str]:
    value = content.get(name, {})
    if not isinstance(value, dict) or not all(
        isinstance(text, str | int | float) for text in value.values()
    ):
        raise ValidationError(_("“%(name)s” must be an object of texts.") % {"name": name})
    return {str(key): str(text) for key, text in value.items()}


def _delimiter(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 1 or value in '"\r\n\x00':
        if value == "":
            return ""
        raise ValidationError(_("The delimiter must be one character."))
    return value
