"""A stranger's path: from a fresh installation and a file to their retention, without reading docs.

Timed and printed; each step is a screenshot in ``KEEPWELL_SCREENSHOTS`` (default: pytest's folder).
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browsing import browsing
from tests.requirements import session_is_on_postgres
from tests.running import RunningKeepwell, new_installation, remove
from tests.thread.purchases import CDNOW_CUSTOMERS, CDNOW_ROWS, cdnow_like, shopify_like

pytestmark = [pytest.mark.system, pytest.mark.browser]
AT_MOST = 10 * 60  # seconds; under three minutes is what it should be
PATIENCE = 240_000  # milliseconds for the longest step
EMAIL, PASSWORD = "alice@keepwell.example", "correct horse battery 9"
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
FIRST_ADMIN = f"""
from accounts.models import Role
from accounts.services import create_user
create_user(email="{EMAIL}", role=Role.ADMIN, password="{PASSWORD}", name="Alice")
answer = True
"""


@dataclass
class Walk:
    """One walk through the product, and how long each step took."""

    page: Page
    folder: Path
    name: str
    began: float = field(default_factory=time.monotonic)
    steps: list[tuple[str, float]] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def arrived(self, step: str) -> None:
        """Note the time, and how the page looks on a desktop and on a phone."""
        self.steps.append((step, self.seconds))
        paused = time.monotonic()
        number = len(self.steps)
        for device, size in (("phone", PHONE), ("desktop", DESKTOP)):
            self.page.set_viewport_size(size)  # type: ignore[arg-type]
            file = self.folder / f"{self.name}-{number:02}-{step.replace(' ', '-')}-{device}.png"
            self.page.screenshot(path=file, full_page=True)
            wide = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, f"{step} is {wide} px too wide on a {device}"
        self.began += time.monotonic() - paused  # a person takes no screenshots

    def press(self, name: str) -> None:
        """Press the button or link of that name."""
        either = self.page.get_by_role("button", name=re.compile(name))
        either.or_(self.page.get_by_role("link", name=re.compile(name))).first.click()


@contextmanager
def fresh_installation() -> Iterator[RunningKeepwell]:
    installation = new_installation(on_postgres=session_is_on_postgres())
    try:
        installation.start()
        installation.python(FIRST_ADMIN)
        yield installation
    except BaseException:
        sys.stderr.write(installation.log[-6000:])
        raise
    finally:
        remove(installation)


def screenshots(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("KEEPWELL_SCREENSHOTS", str(tmp_path)))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def sign_in(walk: Walk, base_url: str) -> None:
    walk.page.goto(f"{base_url}/")
    walk.press("Sign in with a password")
    walk.page.locator("input[name=login]").fill(EMAIL)
    walk.page.locator("input[name=password]").fill(PASSWORD)
    walk.press("Sign in")
    walk.page.get_by_text("Set up Keepwell").wait_for()
    walk.arrived("home")


def upload(walk: Walk, file: Path) -> None:
    walk.press("Bring in customers and purchases")
    walk.arrived("imports")
    walk.press("Import a file")
    walk.page.locator("input[type=file]").set_input_files(file)
    walk.arrived("upload")
    walk.press("^Upload$")
    walk.page.get_by_text("What the columns become").wait_for()
    walk.arrived("match")


def check(walk: Walk) -> None:
    walk.press("Check, change nothing")
    walk.page.get_by_text("What the import would do").wait_for(timeout=PATIENCE)
    walk.arrived("check")


def run_as_history(walk: Walk) -> None:
    walk.press("Go on")
    expect(walk.page.get_by_role("radio", name="History")).to_be_checked()
    walk.arrived("history or live")
    walk.press("^Import .* records?$")
    walk.page.get_by_text("What came in").wait_for(timeout=PATIENCE)
    walk.arrived("result")


def see_retention(walk: Walk) -> str:
    walk.press("See retention")
    walk.page.get_by_text("were still active at its end").wait_for(timeout=PATIENCE)
    walk.arrived("retention")
    return walk.page.locator("main").inner_text().replace("\u00a0", " ")


def tell(walk: Walk, capsys: pytest.CaptureFixture[str]) -> None:
    """Print how long each step took."""
    with capsys.disabled():
        steps = ", ".join(f"{step} {seconds:.0f} s" for step, seconds in walk.steps)
        print(f"\n{walk.name}: {steps}")


def walk_path(
    name: str, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> tuple[str, Walk]:
    with (
        fresh_installation() as installation,
        browsing(viewport=DESKTOP, locale="en") as (context, complaints),
    ):
        walk = Walk(context.new_page(), screenshots(tmp_path), name)
        sign_in(walk, installation.base_url)
        upload(walk, file)
        check(walk)
        run_as_history(walk)
        words = see_retention(walk)
        tell(walk, capsys)
        assert complaints == []
        counts = installation.python(
            "from crm.models import Customer, Order\nfrom mailing.models import Message\n"
            "from loyalty.models import PointsTransaction as Points\n"
            "answer = [Customer.objects.count(), Order.objects.count(), "
            "Message.objects.count(), Points.objects.count()]"
        )
        if name == "cdnow":
            assert counts == [CDNOW_CUSTOMERS, CDNOW_ROWS, 0, 0]
        else:
            assert counts[0] > 5_000
            assert counts[2:] == [0, 0]
    return words, walk


@pytest.mark.long
def test_from_a_file_like_cdnows_to_retention(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, walk = walk_path("cdnow", cdnow_like(tmp_path / "CDNOW_master.txt"), tmp_path, capsys)
    assert "Q2 1998" in words
    assert re.search(r"\d\d\.\d % of the customers active at the start of Q2 1998", words)
    assert walk.seconds < AT_MOST


@pytest.mark.long
def test_from_an_export_of_shopify_to_retention(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = shopify_like(tmp_path / "orders_export_1.csv")
    words, walk = walk_path("shopify", file, tmp_path, capsys)
    assert re.search(r"\d\d\.\d % of the customers active at the start of Q3 2026", words)
    assert walk.seconds < AT_MOST
