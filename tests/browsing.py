"""A real browser for tests; a page that breaks the Content Security Policy fails its test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.requirements import find_chromium

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Complaints(list[str]):
    """What the browser's console said of errors, policy violations and failed requests."""

    def watch(self, page: Page) -> None:
        """Collect from a page and whatever it loads."""

        def said(message: ConsoleMessage) -> None:
            if message.type == "error":
                self.append(f"{page.url}: {message.text}")

        page.on("console", said)
        page.on("pageerror", lambda error: self.append(f"{page.url}: {error}"))


@contextmanager
def browsing(**options: object) -> Iterator[tuple[BrowserContext, Complaints]]:
    """Yield a fresh browser context and what its console complains of.

    options: of Playwright's ``new_context``, such as ``viewport`` or ``locale``.
    """
    with sync_playwright() as playwright:
        browser: Browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=ARGUMENTS
        )
        try:
            context = browser.new_context(**options)  # type: ignore[arg-type]
            complaints = Complaints()
            context.on("page", complaints.watch)
            try:
                yield context, complaints
            except BaseException:
                for page in context.pages:
                    sys.stderr.write(f"{page.url}\n{page.locator('body').inner_text()}\n")
                raise
        finally:
            browser.close()
