"""Numbers and times as other programs write them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

EXCEL = "excel"  # a format of dates: days since the last day but one of 1899
_EXCEL_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - spreadsheets know no timezones
_EXCEL_DAYS = (1.0, 2_958_466.0)
_CURRENCY = re.compile(r"^[$€£¥₽₴₸₹]\s*|\s*(?:[$€£¥₽₴₸₹]|руб\.?|р\.|元)$")
_GROUPS_BY_COMMA = re.compile(r"[+-]?\d{1,3}(,\d{3})+\.\d+|[+-]?\d{1,3}(,\d{3}){2,}")
_GROUPS_BY_POINT = re.compile(r"[+-]?\d{1,3}(\.\d{3})+(,\d*)?")
_COMMA = re.compile(r"[+-]?\d*,\d*")
_BLANK_OFFSET = re.compile(r"(\d) ?(?:([+-]\d{2}:?\d{2})|(UTC|GMT|Z))$")
OF_A_CELL = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?")


def plain_number(text: str, *, decimal_comma: bool) -> str:
    """Return a number's text with a decimal point, without group separators and currency.

    What could mean two numbers is left as it stands, to be refused: ``1,234`` unless the comma is
    known to be decimal.
    """
    text = _CURRENCY.sub("", text.strip())
    text = "".join(text.split()).replace("’", "").replace("'", "")
    if decimal_comma:
        if _GROUPS_BY_POINT.fullmatch(text):
            text = text.replace(".", "")
        return text.replace(",", ".") if _COMMA.fullmatch(text) else text
    return text.replace(",", "") if _GROUPS_BY_COMMA.fullmatch(text) else text


EXAMPLE = datetime(2026, 12, 31, 14, 30)  # noqa: DTZ001 - shows a format


def read_time(text: str, date_format: str) -> str | datetime:
    """Return a time as ISO text, or as what its format makes of it; naive where it is.

    A format with a time of day also takes a date alone, and seconds or none. A date cell of a
    workbook needs no format.

    :raises ValidationError: the text does not follow the format.
    """
    if not date_format or OF_A_CELL.fullmatch(text):
        return _BLANK_OFFSET.sub(lambda found: found[1] + (found[2] or "Z"), text)
    if date_format == EXCEL:
        return _excel_time(text)
    for one in variants(date_format):
        try:
            return datetime.strptime(text, one)  # noqa: DTZ007 - zoned by the caller
        except ValueError:
            continue
    raise ValidationError(
        _("This is no date like %(example)s.") % {"example": EXAMPLE.strftime(date_format)},
        code="time",
    )


def variants(date_format: str) -> list[str]:
    """Return a format, and those that differ from it in seconds or the time of day."""
    found = [date_format]
    if ":%S" in date_format:
        found.append(date_format.replace(":%S", ""))
    elif "%M" in date_format:
        found.append(date_format.replace("%M", "%M:%S", 1))
    if time := re.search(r"[ T,]+%[HI].*$", date_format):
        found.append(date_format[: time.start()])
    return found


def _excel_time(text: str) -> datetime:
    try:
        days = float(text.replace(",", "."))
    except ValueError:
        days = 0
    if not _EXCEL_DAYS[0] <= days < _EXCEL_DAYS[1]:
        raise ValidationError(_("This is not a day number of a spreadsheet."), code="time")
    return _EXCEL_EPOCH + timedelta(seconds=round(days * 86_400))
