"""Photograph the running product: its main pages, light, dark and on a phone, in each language.

    .venv/bin/python scripts/take_screenshots.py --data demo-data --out /tmp/pictures
    .venv/bin/python scripts/take_screenshots.py --data demo-data --readme

Start the demo first (`make demo`). Signs in with the logins that the demo keeps in its data
folder; a customer's sign-in code is read from the mail folder beside them. Exits 1 when a page
fails, is wider than its window, or logs an error (a blocked script or style, for instance).
"""

from __future__ import annotations

import argparse
import email
import email.policy
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
CHROMIUM_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LANGUAGES = ("en", "ru", "zh-hans")
STAFF_PAGES = {
    "home": "/",
    "customers": "/customers/",
    "customer": r"/customers/[a-z0-9]{12}/",  # the first one of the list
    "inbox": "/inbox/",
    "tasks": "/tasks/",
    "standards": "/standards/scorecard/",
    "counter": "/orders/quick/",
    "complaints": "/complaints/",
    "metrics": "/metrics/",
    "retention": "/metrics/retention/",
    "value": "/metrics/value/",
    "funnel": "/metrics/funnel/",
    "voice": "/metrics/voice/",
    "shops": "/metrics/shops/",
    "cohorts": "/metrics/cohorts/",
    "rfm": "/metrics/rfm/",
}
PORTAL_PAGES = {"portal": "/me/"}
README_PICTURES = {
    ("home", "light"),
    ("customer", "light"),
    ("inbox", "light"),
    ("metrics", "light"),
    ("metrics", "dark"),
    ("retention", "light"),
    ("cohorts", "light"),
    ("portal", "phone"),
}
CODE = re.compile(r"^\s*([A-Z0-9]{3,4}-[A-Z0-9]{3,4}|[A-Z0-9]{6,8})\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Look:
    """A kind of screen."""

    name: str
    width: int
    height: int
    scheme: str
    scale: float = 1


LOOKS = (
    Look("light", 1280, 800, "light"),
    Look("dark", 1280, 800, "dark"),
    Look("phone", 360, 740, "light", 2),
)


class Photographer:
    """Walks through the pages of a running installation."""

    def __init__(self, browser: Browser, arguments: argparse.Namespace) -> None:
        self.browser = browser
        self.base = arguments.url.rstrip("/")
        self.data: Path = arguments.data
        self.mail: Path = arguments.mail or arguments.data / "mail"
        self.is_readme: bool = arguments.readme
        self.out: Path = ROOT / "docs" / "images" if arguments.readme else arguments.out
        self.complaints: list[str] = []
        entries = json.loads((self.data / "demo-logins.json").read_text())
        self.logins = {entry["role"]: entry for entry in entries}

    def run(self) -> None:
        """Take every picture."""
        self.out.mkdir(parents=True, exist_ok=True)
        languages = LANGUAGES[:1] if self.is_readme else LANGUAGES
        states = {}
        for role in ("admin", "customer"):
            if role in self.logins:
                states[role] = self._sign_in(role)
        for language in languages:
            for role, pages in (("admin", STAFF_PAGES), ("customer", PORTAL_PAGES)):
                if role in states:
                    self._walk(states[role], language, pages)
        for state in states.values():
            with self._context(LOOKS[0], state) as context:
                self._switch_language(context.new_page(), LANGUAGES[0])

    def _walk(self, state: dict, language: str, pages: dict[str, str]) -> None:  # type: ignore[type-arg]
        for look in LOOKS:
            with self._context(look, state) as context:
                page = context.new_page()
                self._switch_language(page, language)
                for name, path in pages.items():
                    if self.is_readme and (name, look.name) not in README_PICTURES:
                        continue
                    file_name = f"{name}-{look.name}" + ("" if self.is_readme else f"-{language}")
                    self._take(page, name, path, file_name)

    def _take(self, page: Page, name: str, path: str, file_name: str) -> None:
        errors: list[str] = []
        page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        if "[" in path:
            path = self._first_link(page, path)
        response = page.goto(self.base + path)
        for _attempt in range(30):  # a picture says what was computed, not that it is being
            if not page.locator("#recompute-status[hx-get]").count():
                break
            page.wait_for_timeout(3000)
            response = page.goto(self.base + path)
        page.wait_for_load_state("networkidle")
        for end in ("document.body.scrollHeight", "0"):  # charts are drawn when they come near
            page.evaluate(f"scrollTo(0, {end})")
            page.wait_for_timeout(400)
        if response is None or not response.ok:
            errors.append(f"answered {response.status if response else 'nothing'}")
        width = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        if width > 0:
            errors.append(f"is {width} pixels wider than the window")
        target = self.out / f"{file_name}.png"
        page.screenshot(path=target, full_page=not self.is_readme)
        print(f"{target}" + "".join(f"\n  {error}" for error in errors))
        self.complaints += [f"{file_name}: {error}" for error in errors]

    def _first_link(self, page: Page, pattern: str) -> str:
        page.goto(self.base + "/customers/")
        links = page.eval_on_selector_all("main a[href]", "all => all.map(a => a.pathname)")
        return next((link for link in links if re.fullmatch(pattern, link)), "/customers/")

    @contextmanager
    def _context(
        self,
        look: Look,
        state: dict | None = None,  # type: ignore[type-arg]
    ) -> Iterator[BrowserContext]:
        context = self.browser.new_context(
            viewport={"width": look.width, "height": look.height},
            device_scale_factor=look.scale,
            color_scheme=look.scheme,  # type: ignore[arg-type]
            storage_state=state,  # type: ignore[arg-type]
            locale="en",
        )
        context.set_default_timeout(20_000)
        yield context
        context.close()

    def _sign_in(self, role: str) -> dict:  # type: ignore[type-arg]
        login = self.logins[role]
        with self._context(LOOKS[0]) as context:
            page = context.new_page()
            if role == "customer":
                started = time.time()
                page.goto(f"{self.base}/accounts/login/code/")
                page.fill("[name=email]", login["email"])
                page.click("main form [type=submit]")
                page.fill("[name=code]", self._read_code(login["email"], started))
            else:
                page.goto(f"{self.base}/accounts/login/")
                page.fill("[name=login]", login["email"])
                page.fill("[name=password]", login["password"])
            page.click("main form [type=submit]")
            page.wait_for_load_state("networkidle")
            return dict(context.storage_state())

    def _read_code(self, address: str, since: float) -> str:
        for _attempt in range(100):
            for path in self.mail.glob("*"):
                if path.stat().st_mtime < since - 1:
                    continue
                message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
                body = message.get_body(("plain",))
                found = CODE.search(body.get_content()) if body else None
                if found and address in str(message["to"]):
                    return found.group(1)
            time.sleep(0.1)
        raise SystemExit(f"No sign-in code for {address} arrived in {self.mail}.")

    def _switch_language(self, page: Page, language: str) -> None:
        page.goto(self.base + "/")
        button = page.locator(f".preferences button[value='{language}']")
        if button.get_attribute("aria-current"):
            return
        # On a phone the button waits inside the closed menu.
        button.evaluate("button => button.form.requestSubmit(button)")
        page.wait_for_load_state("networkidle")


def main() -> int:
    """Take the pictures; 1 when there was something to complain about."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--data", type=Path, default=ROOT / "demo-data", help="the demo's folder")
    parser.add_argument("--mail", type=Path, help="where its mail is written; default DATA/mail")
    parser.add_argument("--out", type=Path, default=Path("pictures"))
    parser.add_argument("--readme", action="store_true", help="a few, into docs/images/")
    arguments = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        photographer = Photographer(browser, arguments)
        photographer.run()
        browser.close()
    print(f"{len(photographer.complaints)} complaints.")
    return 1 if photographer.complaints else 0


if __name__ == "__main__":
    raise SystemExit(main())
