"""Which format a column's dates have, told from how they look."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.core.exceptions import ValidationError

from common.time import FIRST_YEAR, LAST_YEAR
from crm.imports.formats import EXCEL, OF_A_CELL, read_time

ISO = ""
FITTING = 0.9  # share of a column's texts that must be dates
_ISO_LIKE = re.compile(
    r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?( ?[+-]\d{2}:?\d{2}| ?UTC| ?GMT| ?Z)?)?"
)
_TIME = (
    r"(?:(?P<gap>,? |T)(?P<hour>\d{1,2}):\d{2}(?P<seconds>:\d{2})?"
    r"(?P<half> ?[AaPp][Mm])?(?P<offset> ?[+-]\d{2}:?\d{2})?)?"
)
_NUMBERS = re.compile(r"(\d{1,4})(?P<mark>[./-])(\d{1,2})(?P=mark)(\d{4}|\d{2})" + _TIME)
_WORDS = re.compile(
    r"(?:(?P<first>\d{1,2})[ -](?P<month>[A-Za-z]{3,9})"
    r"|(?P<month2>[A-Za-z]{3,9}) \d{1,2}(?P<comma>,?))"
    r"(?P<mark>[ -])\d{4}" + _TIME
)
_EIGHT = re.compile(r"(19[5-9]|20[0-4])\d{5}" + _TIME)
_SERIAL = re.compile(r"[2-5]\d{4}([.,]\d+)?")  # the years 1954 to 2064
_NAIVE_TIME = re.compile(r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?( ?[AaPp][Mm])?$")
_DATE_NAME = re.compile(
    r"date|time|\b(at|on|day|birthday|created|since)\b|_(at|on)$|дата|время|день|日期|时间|生日",
    re.IGNORECASE,
)


def date_formats(name: str, texts: Sequence[str]) -> list[str]:
    """Return the formats that fit the texts of a column equally well; none if they are no dates.

    Day and month stand in this order first, where either is possible. ISO 8601 is the empty text.
    """
    if not texts:
        return []
    if sum(bool(_ISO_LIKE.fullmatch(text)) for text in texts) >= FITTING * len(texts):
        return [ISO]
    candidates: list[str] = []
    for text in sorted(set(texts), key=len, reverse=True)[:50]:
        candidates += [one for one in _formats_of(text) if one not in candidates]
    if _DATE_NAME.search(name) and all(map(_SERIAL.fullmatch, texts)):
        candidates.append(EXCEL)
    return best_fitting(candidates, texts)


def best_fitting(candidates: Iterable[str], texts: Sequence[str]) -> list[str]:
    """Return those formats that fit most texts; of the same order of day and month only one."""
    shares = {one: _fitting_share(one, texts) for one in candidates}
    best = max(shares.values(), default=0.0)
    if best < FITTING:
        return []
    found: dict[bool, str] = {}
    for one, share in shares.items():
        if share == best:
            found.setdefault(_is_month_first(one), one)
    return [found[key] for key in sorted(found)]


def fits(date_format: str, texts: Iterable[str]) -> bool:
    """Whether every text is a date of the format."""
    return all(_is_date(text, date_format) for text in texts)


def swapped(date_format: str) -> str:
    """Return the format with day and month in the other order."""
    return re.sub(r"%([dm])([./-])%([dm])", r"%\3\2%\1", date_format)


def is_naive_time(text: str) -> bool:
    """Whether a date has a time of day and no offset."""
    return bool(_NAIVE_TIME.search(text)) and not text.endswith(("T00:00:00", " 00:00:00"))


def is_date_cell(text: str) -> bool:
    """Whether a text is what a date cell of a workbook was turned into."""
    return bool(OF_A_CELL.fullmatch(text))


def _is_month_first(date_format: str) -> bool:
    return date_format.startswith("%m")


def _fitting_share(date_format: str, texts: Sequence[str]) -> float:
    return sum(_is_date(text, date_format) for text in texts) / len(texts)


def _is_date(text: str, date_format: str) -> bool:
    try:
        moment = read_time(text, date_format)
    except ValidationError:
        return False
    return not isinstance(moment, datetime) or FIRST_YEAR <= moment.year < LAST_YEAR


def _formats_of(text: str) -> list[str]:
    if found := _NUMBERS.fullmatch(text):
        mark = found["mark"]
        if len(found[1]) == 4:
            days = [mark.join(("%Y", "%m", "%d"))]
        elif len(found[1]) <= 2:
            year = "%Y" if len(found[4]) == 4 else "%y"
            days = [mark.join(("%d", "%m", year)), mark.join(("%m", "%d", year))]
        else:
            days = []
    elif found := _WORDS.fullmatch(text):
        word = found["month"] or found["month2"]
        month = "%b" if len(word) == 3 else "%B"
        mark = found["mark"]
        days = [
            f"%d{mark}{month}{mark}%Y" if found["first"] else f"{month} %d{found['comma']}{mark}%Y"
        ]
    elif found := _EIGHT.fullmatch(text):
        days = ["%Y%m%d"]
    else:
        return []
    return [day + _time_format(found) for day in days]


def _time_format(found: re.Match[str]) -> str:
    if not found["hour"]:
        return ""
    half, offset = found["half"] or "", found["offset"] or ""
    return "".join(
        (
            found["gap"],
            "%I:%M" if half else "%H:%M",
            ":%S" if found["seconds"] else "",
            half[:-2] + "%p" if half else "",
            offset[: len(offset) - len(offset.lstrip())] + "%z" if offset else "",
        )
    )
