"""How numbers, money and instants read for people, in the active language."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

from django.utils import formats
from django.utils.translation import get_language, ngettext

from common.time import now, organisation_timezone

NO_DATA = "–"
NBSP = "\u00a0"
MINUS = "\u2212"
SYMBOLS = {
    "AED": "AED", "BYN": "Br", "CNY": "¥", "EUR": "€", "GBP": "£", "GEL": "₾", "INR": "₹",
    "JPY": "¥", "KRW": "₩", "KZT": "₸", "PLN": "zł", "RUB": "₽", "TRY": "₺", "UAH": "₴",
    "USD": "$", "VND": "₫",
}  # fmt: skip
WITHOUT_CENTS = frozenset({"JPY", "KRW", "VND", "CLP", "ISK", "UGX", "XAF", "XOF"})
Number = int | float | str | Decimal | None


def format_number(value: Number, places: int | None = None) -> str:
    """Return the number grouped for the active language.

    places: decimals to round to; None keeps those the number has. No number reads as a dash.
    """
    number = _decimal(value)
    if number is None:
        return NO_DATA
    if places is not None:
        number = number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
    group, point = _separators()
    text = f"{abs(number):,f}".replace(",", "\0").replace(".", point).replace("\0", group)
    return MINUS + text if number < 0 else text


def format_money(amount: Number, currency: str, places: int | None = None) -> str:
    """Return an amount with its currency: ``$1,234.50``, ``1 234,50 ₽``, ``¥1,234.50``.

    places: decimals to round to; as a rule those the currency has.
    """
    number = _decimal(amount)
    if number is None:
        return NO_DATA
    cents = 0 if currency in WITHOUT_CENTS else 2
    text = format_number(abs(number), cents if places is None else places)
    sign = MINUS if number < 0 and any(digit in text for digit in "123456789") else ""
    symbol = SYMBOLS.get(currency, currency)
    if (get_language() or "").startswith("ru"):
        return f"{sign}{text}{NBSP}{symbol}"
    gap = NBSP if symbol.isalpha() else ""
    return f"{sign}{symbol}{gap}{text}"


def format_percent(ratio: Number, places: int = 1) -> str:
    """Return a ratio as per cent: 0.0714 → ``7.1 %``."""
    number = _decimal(ratio)
    if number is None:
        return NO_DATA
    gap = "" if (get_language() or "").startswith("zh") else NBSP
    return f"{format_number(number * 100, places)}{gap}%"


def format_points(points: int | None) -> str:
    """Return whole points with their word: ``1,250 points``."""
    if points is None:
        return NO_DATA
    return ngettext("%(count)s point", "%(count)s points", abs(points)) % {
        "count": format_number(points)
    }


def format_local(moment: datetime | date | None, *, time: bool = True) -> str:
    """Return a short date (and time) as the organisation's clocks showed it.

    moment: an aware instant, or a local date, which has no time. The year is left out when it is
    the present one.
    """
    if moment is None:
        return NO_DATA
    zone = organisation_timezone()
    day: date = moment
    if isinstance(moment, datetime):
        moment = moment.astimezone(zone)
        day = moment.date()
    is_this_year = day.year == now().astimezone(zone).year
    text = formats.date_format(day, "MONTH_DAY_FORMAT" if is_this_year else "SHORT_DATE_FORMAT")
    if time and isinstance(moment, datetime):
        return f"{text}, {formats.time_format(moment.timetz(), 'TIME_FORMAT')}"
    return text


def format_since(moment: datetime | None) -> str:
    """Return how long ago an instant was, in days, hours or minutes; a dash without one."""
    if moment is None:
        return NO_DATA
    minutes = max(0, int((now() - moment).total_seconds() // 60))
    hours, days = minutes // 60, minutes // (24 * 60)
    if days:
        return ngettext("%(count)s day", "%(count)s days", days) % {"count": format_number(days)}
    if hours:
        return ngettext("%(count)s hour", "%(count)s hours", hours) % {"count": hours}
    return ngettext("%(count)s minute", "%(count)s minutes", minutes) % {"count": minutes}


def format_full(moment: datetime | date) -> str:
    """Return date, time with seconds and timezone, for a tooltip."""
    if not isinstance(moment, datetime):
        return formats.date_format(moment, "DATE_FORMAT")
    local = moment.astimezone(organisation_timezone())
    return f"{formats.date_format(local, 'DATE_FORMAT')}, {local:%H:%M:%S} {local.tzname()}"


def machine_time(moment: datetime | date) -> str:
    """Return the value of a ``datetime`` attribute: UTC for instants."""
    if isinstance(moment, datetime):
        return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return moment.isoformat()


def _decimal(value: Number) -> Decimal | None:
    if value is None or value == "":
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _separators() -> tuple[str, str]:
    """Thousands and decimal sign of the active language."""
    return (NBSP, ",") if (get_language() or "").startswith("ru") else (",", ".")
