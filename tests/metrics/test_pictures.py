"""In a real browser: maps are saved as pictures, the open page is in sight, wide tables move."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from accounts.models import User
from tests.browsing import browsing
from tests.metrics.found import found_cell, found_place, found_run
from tests.metrics.snapshots import make_figure, make_run, make_slice
from tests.metrics.worlds import customers

pytestmark = [
    pytest.mark.browser,
    pytest.mark.system,
    pytest.mark.any_database,
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def visit(live_server: Any, settings: Any, mara: User) -> Callable[..., Any]:
    """``visit(…options of the browser) -> (page, complaints)``, signed in as a manager."""
    client = Client()
    client.force_login(mara)
    name = settings.SESSION_COOKIE_NAME
    cookie = {"name": name, "value": client.cookies[name].value, "url": live_server.url}

    @contextmanager
    def start(**options: Any) -> Iterator[tuple[Page, list[str]]]:
        with browsing(base_url=live_server.url, locale="en", **options) as (context, complaints):
            context.add_cookies([cookie])
            yield context.new_page(), complaints

    return start


def size_of(picture: Path) -> tuple[int, int]:
    content = picture.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def test_maps_and_the_plane_of_shops_are_saved_as_pictures(
    visit: Callable[..., Any], tmp_path: Path
) -> None:
    people = customers(40)
    run = make_run()
    found_cell(run, "2025-10", 0, people[:20], amount="200", profit="80")
    found_cell(run, "2025-10", 2, people[:10], amount="100", profit="-10")
    found_cell(run, "2026-01", 0, people[20:], amount="100", profit="40")
    for map_name in ("rfm", "tenure_profit"):
        for x, y, at in ((1, 1, 0), (3, 4, 10), (4, 2, 20)):
            found_place(run, map_name, x, y, people[at : at + 10], amount="120.00")
    for dimension, label, kept in (
        ("location=north", "North Street", 6),
        ("location=south", "South Gate", 8),
    ):
        make_slice(run, dimension, people[:20], label)
        for key in ("retention_rate", "csat"):
            make_figure(run, key, "2025-Q4", dimension=dimension, numerator=kept, denominator=10)
    for key in ("retention_rate", "csat"):
        make_figure(run, key, "2025-Q4", numerator=14, denominator=20)
    kept_in = Path(os.environ.get("PICTURES") or tmp_path)  # to look at them
    with visit(viewport={"width": 1280, "height": 800}) as (page, complaints):
        for address, name in (
            ("cohorts/?show=profit", "cohorts"),
            ("rfm/", "frequency-and-value"),
            ("tenure/", "tenure-and-profit"),
            ("shops/", "shops"),
        ):
            page.goto(f"/metrics/{address}")
            drawing = page.locator("table.heat:visible, svg.scatter:visible").first.bounding_box()
            with page.expect_download() as awaited:
                page.click(f"[data-picture='{name}']")
            assert awaited.value.suggested_filename == f"{name}.png"
            target = kept_in / f"{name}.png"
            awaited.value.save_as(target)
            assert drawing
            width, height = size_of(target)
            assert width >= 2 * drawing["width"]
            assert height >= 2 * drawing["height"]
            assert target.stat().st_size > 5_000  # words and colours; blank it is smaller
        assert complaints == []


def test_on_a_phone_the_row_of_pages_scrolls_to_the_open_one(visit: Callable[..., Any]) -> None:
    found_run()
    with visit(viewport={"width": 390, "height": 800}) as (page, complaints):
        for address in ("", "save/", "rfm/"):
            page.goto(f"/metrics/{address}")
            tab = page.locator(".page-sections [aria-current]").bounding_box()
            assert tab
            assert tab["x"] >= 0
            assert tab["x"] + tab["width"] <= 390
        assert complaints == []


def test_a_wide_table_on_a_phone_is_moved_by_keys_and_keeps_names_in_sight(
    visit: Callable[..., Any],
) -> None:
    run = make_run()
    shops = {"location=north": "The shop in the north of town", "location=south": "South"}
    for key in ("nps", "retention_rate", "csat", "complaint_rate"):
        for dimension in ("", *shops):
            numbers = {"numerator": 70, "denominator": 100}
            make_figure(run, key, "2025-Q4", dimension=dimension, **numbers)
    people = customers(10)
    for dimension, label in shops.items():
        make_slice(run, dimension, people, label)
    with visit(viewport={"width": 360, "height": 700}) as (page, complaints):
        page.goto("/metrics/shops/")
        wide = page.locator(".table-responsive.more-after")  # there is more beyond its edge
        wide.focus()
        for _press in range(40):
            page.keyboard.press("ArrowRight")
        expect(wide).to_have_count(0)
        box = page.get_by_role("group", name="Shops")
        assert box.evaluate("box => box.scrollLeft") > 50
        name = box.get_by_role("rowheader").first.bounding_box()
        assert name is not None
        assert name["x"] >= 0
        width = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(width) == 0
    assert complaints == []
