"""What templates show with: ``{% load keepwell %}``.

========================================  =======================================================
``{% icon "users" %}``                    a Tabler icon; give ``label="…"`` if it stands alone
``{{ amount|money:order.currency }}``     ``$1,234.50``; without a code, the organisation's
``{{ 1250|points }}``                     ``1,250 points`` (the bare number: ``|number``)
``{{ 0.0714|percent }}``                  ``7.1 %`` from a ratio; ``|percent:0`` for no decimals
``{{ 1234.5|number }}``                   grouped for the language; ``|number:2`` rounds
``{{ opened_at|local }}``                 ``<time>`` short date and time; ``|local:"date"`` no time
``{{ opened_at|since }}``                 ``20 days``: how long ago, in the largest unit
``{% chart data "some-id" caption=… %}``  a figure drawn by static/js/charts.js, with its table
``{% band value low high … %}``           the interval of a figure as a thin bar
``{{ message|undo_token }}``              what takes back what a message tells, if anything does
``{% may_export "orders" as may %}``      whether the reader may take a list out as a file
``{% asset "css/keepwell.css" %}``        address of a static file that changes with its content
========================================  =======================================================

``money``, ``points``, ``percent``, ``number`` and ``local`` also work as tags:
``{% money amount currency %}``. No value reads as a dash.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django import template
from django.conf import settings
from django.contrib.staticfiles import finders
from django.template import Engine
from django.template.base import Parser, Token
from django.template.context import Context
from django.template.loader_tags import BLOCK_CONTEXT_KEY
from django.templatetags.static import static
from django.utils.html import format_html, strip_tags
from django.utils.safestring import SafeString, mark_safe

from common import display
from common.exports import export_lists
from common.undo import MARK

register = template.Library()
ICONS = "vendor/icons.svg"


# --- Files and icons ----------------------------------------------------------------------------
@register.simple_tag
def asset(path: str) -> str:
    """Address of a static file; unless its name carries a hash, a query that changes with it."""
    address = static(path)
    if address.endswith(path):
        address += f"?v={_version(path)}" if settings.DEBUG else f"?v={_cached_version(path)}"
    return address


def _version(path: str) -> str:
    from pathlib import Path

    found = finders.find(path)
    return f"{Path(found).stat().st_mtime_ns // 1_000_000:x}" if isinstance(found, str) else "0"


_cached_version = lru_cache(maxsize=64)(_version)
_cached_asset = lru_cache(maxsize=8)(asset)


@register.simple_tag
def own_language_names() -> list[tuple[str, str]]:
    """Codes and names of the languages, each in itself: Django's own tag would translate them."""
    return list(settings.LANGUAGES)


@register.filter
def language_name(code: str) -> str:
    """``{{ customer.language|language_name }}``: what a language calls itself, or the bare code."""
    return dict(own_language_names()).get(code, code)


@register.simple_tag
def icon(name: str, css: str = "", label: str = "") -> SafeString:
    """Draw a Tabler icon. css: more classes. label: what screen readers say; none if decorative."""
    says = (
        format_html('role="img" aria-label="{}"', label)
        if label
        else mark_safe('aria-hidden="true"')
    )
    return format_html(
        '<svg class="icon {}" {}><use href="{}#{}"></use></svg>',
        css,
        says,
        asset(ICONS) if settings.DEBUG else _cached_asset(ICONS),
        name,
    )


@register.filter
def undo_token(message: Any) -> str:
    """What the form of the undo button sends; empty for a message without one."""
    tags = message.extra_tags or ""
    return tags.removeprefix(MARK) if tags.startswith(MARK) else ""


@register.simple_tag(takes_context=True)
def may_export(context: Context, key: str) -> bool:
    """Whether who looks at the page may take the list out."""
    request = context.get("request")
    listed = export_lists().get(key)
    role = getattr(getattr(request, "user", None), "role", None)
    return listed is not None and role in listed.roles


# --- Values -------------------------------------------------------------------------------------
@register.filter(name="money")
def money_filter(amount: Decimal | None, currency: str = "") -> str:
    """Amount and currency; the organisation's currency when none is given."""
    return display.format_money(amount, currency or settings.KEEPWELL_CURRENCY)


@register.filter(name="points")
def points_filter(points: int | None) -> str:
    """Whole points with their word."""
    return display.format_points(points)


@register.filter(name="number")
def number_filter(value: display.Number, places: int | None = None) -> str:
    """A number grouped for the language."""
    return display.format_number(value, places)


@register.filter(name="percent")
def percent_filter(ratio: display.Number, places: int = 1) -> str:
    """A ratio as per cent."""
    return display.format_percent(ratio, places)


@register.filter(name="local")
def local_filter(moment: datetime | date | None, style: str = "") -> str:
    """An instant in the organisation's time, or a date, inside ``<time>``."""
    if moment is None:
        return display.NO_DATA
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        display.machine_time(moment),
        display.format_full(moment),
        display.format_local(moment, time=style != "date"),
    )


@register.filter(name="since")
def since_filter(moment: datetime | None) -> str:
    """How long ago an instant was, in days, hours or minutes."""
    return display.format_since(moment)


register.simple_tag(money_filter, name="money")
register.simple_tag(points_filter, name="points")
register.simple_tag(number_filter, name="number")
register.simple_tag(percent_filter, name="percent")
register.simple_tag(local_filter, name="local")


# --- Figures ------------------------------------------------------------------------------------
@register.inclusion_tag("parts/chart.html")
def chart(
    data: dict[str, Any], chart_id: str, caption: str = "", tall: bool = False
) -> dict[str, Any]:
    """Draw a chart; the shape of ``data`` stands at the top of static/js/charts.js."""
    show = {
        "percent": display.format_percent,
        "count": lambda value: display.format_number(value, 0),
        "money": lambda value: display.format_money(value, data.get("currency") or ""),
    }.get(data.get("unit", ""), lambda value: display.format_number(value, data.get("places")))
    table = [
        {"label": label, "cells": list(_cells(data["series"], index, show))}
        for index, label in enumerate(data["labels"])
    ]
    return {
        "data": data,
        "chart_id": chart_id,
        "caption": caption,
        "tall": tall,
        "is_heat": data["type"] == "heat",
        "rows": table,
    }


def _cells(series: list[dict[str, Any]], index: int, show: Any) -> Iterator[dict[str, str]]:
    for one in series:
        between = ""
        if one.get("low"):
            low, high = one["low"][index], one["high"][index]
            between = display.NO_DATA if low is None else f"{show(low)} – {show(high)}"
        yield {"value": show(one["values"][index]), "between": between}


@register.inclusion_tag("parts/band.html")
def band(
    value: display.Number,
    low: display.Number,
    high: display.Number,
    limit: display.Number = None,
    smallest: display.Number = 0,
    largest: display.Number = 1,
) -> dict[str, Any]:
    """Draw where a figure lies and how sure that is, on a scale from smallest to largest."""
    start, end = float(smallest or 0), float(1 if largest is None else largest)

    def place(number: display.Number) -> float | None:
        if number is None or number == "" or end <= start:
            return None
        return round(min(1.0, max(0.0, (float(number) - start) / (end - start))) * 100, 2)

    left, right = place(low), place(high)
    return {
        "value": place(value),
        "low": left,
        "width": max(right - left, 0.5) if left is not None and right is not None else None,
        "limit": place(limit),
    }


# --- Layout -------------------------------------------------------------------------------------
@register.simple_tag(takes_context=True)
def piece(context: Context, template_name: str, values: dict[str, Any]) -> SafeString:
    """Draw another app's card: it finds its values by name and, unless one is so named, as card."""
    with context.push(**{"card": values, **values}):
        return Engine.get_default().get_template(template_name).render(context)


class RepeatBlock(template.Node):
    """Renders a block a second time, as plain text."""

    def __init__(self, name: str) -> None:
        self.name = name

    def render(self, context: Context) -> str:
        """The block's text without tags, on one line."""
        blocks = context.render_context.get(BLOCK_CONTEXT_KEY)
        block = blocks.get_block(self.name) if blocks else None
        return " ".join(strip_tags(block.render(context)).split()) if block else ""


@register.tag
def repeat_block(parser: Parser, token: Token) -> RepeatBlock:
    """``{% repeat_block title %}``: the text of a block, for instance in the window's title."""
    return RepeatBlock(token.split_contents()[1])
