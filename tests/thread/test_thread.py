"""The main job end to end: a purchase becomes points, a question, an answer, a figure."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest
from playwright.sync_api import Page

from tests.browsing import browsing
from tests.requirements import session_is_on_postgres
from tests.running import RunningKeepwell, new_installation, remove, wait_for

pytestmark = [pytest.mark.system, pytest.mark.browser]

SET_UP = """
from datetime import timedelta
from decimal import Decimal
from accounts.models import Role
from accounts.services import create_api_key, create_user
from common.time import now
from loyalty.services import ensure_programme
from outreach.services import ensure_follow_up_rule
start = now() - timedelta(days=1)
ensure_programme(starts_at=start, happened_at=start, pending_days=0)
ensure_follow_up_rule(delay_days=0, happened_at=start, active_from=start, actor="system")
create_user(email="mara@keepwell.example", role=Role.MANAGER, password="correct horse battery 9")
answer = create_api_key(name="till", role=Role.STAFF, created_at=start)[1]
"""
KIM = "kim@customers.example"


def text_of(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def code_among(mails: list[EmailMessage]) -> str | None:
    """The code stands alone in a line; other mails may arrive before it."""
    for mail in mails:
        if found := re.search(r"^\s*([A-Z0-9]{3,}(?:-[A-Z0-9]{3,})?)\s*$", text_of(mail), re.M):
            return found[1]
    return None


def sign_in_by_code(page: Page, installation: RunningKeepwell) -> None:
    page.goto(f"{installation.base_url}/accounts/login/code/")
    page.get_by_role("textbox").first.fill(KIM)
    page.get_by_role("button", name="Send me a code").click()
    code = wait_for(lambda: code_among(installation.smtp.sent_to(KIM)), "the code arrived")
    page.locator("input[name=code]").fill(code)
    page.get_by_role("button", name="Confirm").click()
    page.goto(f"{installation.base_url}/me/")


def figure(installation: RunningKeepwell, key: str) -> dict[str, object]:
    period = datetime.now(UTC).strftime("%Y")
    answer: dict[str, object] = json.loads(
        installation.command("kpi", key, "--period", period, "--json")
    )
    return answer


def follow_ups(installation: RunningKeepwell) -> list[EmailMessage]:
    return [mail for mail in installation.smtp.sent_to(KIM) if "/s/" in text_of(mail)]


def walk(installation: RunningKeepwell) -> None:
    key = installation.python(SET_UP)
    assert figure(installation, "nps")["denominator"] == 0
    assert figure(installation, "complaint_rate")["numerator"] == 0

    # A till records a customer and a purchase through the API.
    kim = installation.api(
        "POST",
        "customers/",
        {
            "name": "Kim",
            "email": KIM,
            "language": "en",
            "external_id": "kim",
            "consents": {"surveys": True},
        },
        key=key,
    )
    assert kim.status == 201, kim.text
    ordered_at = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    order = {"customer": "kim", "amount": "120.00", "ordered_at": ordered_at, "external_id": "o-1"}
    assert installation.api("POST", "orders/", order, key=key, once="o-1").status == 201
    assert installation.api("POST", "orders/", order, key=key, once="o-1").status == 201

    with browsing(viewport={"width": 390, "height": 844}) as (context, complaints):
        # Within seconds the worker has awarded the points, and Kim sees them.
        page = context.new_page()
        sign_in_by_code(page, installation)

        def points_are_there() -> bool:
            page.reload()
            return "120" in page.locator("main").inner_text()

        wait_for(points_are_there, "Kim sees 120 points", 45)

        # The follow-up arrives at a real mail server; opening its link answers nothing.
        mail = wait_for(lambda: follow_ups(installation), "the follow-up arrived")[0]
        link = re.search(r"https?://\S+/s/\S+/", text_of(mail))
        assert link
        page.goto(link[0])
        page.get_by_role("radio", name="9", exact=True).check()
        page.get_by_role("button", name="Send my answer").click()
        page.get_by_text("Thank you").first.wait_for()

        # Kim complains, signed in.
        page.goto(f"{installation.base_url}/me/")
        page.get_by_role("link", name="Complain").click()
        page.get_by_label("What happened?").fill("The lid was broken.")
        page.get_by_role("button", name="Send").click()
        page.get_by_text("C-").first.wait_for()
        assert complaints == []

    # The worker recomputes by itself: the snapshots the dashboard reads change.
    def snapshots_moved() -> bool:
        answer = installation.api("GET", "kpis/?key=nps", key=manager_key)
        return any(row["denominator"] == 1 for row in answer.json["results"])

    manager_key = installation.python(
        "from accounts.services import create_api_key\nfrom common.time import now\n"
        "answer = create_api_key(name='figures', role='manager', created_at=now())[1]"
    )
    wait_for(snapshots_moved, "the answer moved NPS")
    nps = figure(installation, "nps")
    assert (nps["numerator"], nps["denominator"]) == (1, 1)

    def complaint_counted() -> bool:
        rate = figure(installation, "complaint_rate")
        return (rate["numerator"], rate["denominator"]) == (1, 1)

    wait_for(complaint_counted, "the complaint moved the complaint rate")

    # The manager sees it on the dashboard, and nothing was doubled.
    with browsing() as (context, complaints):
        page = context.new_page()
        page.goto(f"{installation.base_url}/accounts/login/")
        page.locator("input[name=login]").fill("mara@keepwell.example")
        page.locator("input[name=password]").fill("correct horse battery 9")
        page.get_by_role("button", name="Sign in").click()
        page.goto(f"{installation.base_url}/metrics/")
        assert "Would recommend" in page.locator("main").inner_text()
        page.goto(f"{installation.base_url}/customers/{kim.json['ref']}/")
        page.get_by_text("9 / 10").first.wait_for()  # panels come after the page
        shown = page.locator("main").inner_text()
        assert "120" in shown
        assert "9 / 10" in shown
        assert complaints == []
    assert len(follow_ups(installation)) == 1
    counts = installation.python(
        "from loyalty.models import PointsTransaction\nfrom mailing.models import Message\n"
        "answer = [PointsTransaction.objects.filter(kind='earn').count(), Message.objects.count()]"
    )
    assert counts == [1, 1]
    assert json.loads(installation.command("verify_ledger", "--json"))["drifts"] == []


def noon_zone() -> str:
    """A timezone in which it is about noon, so that no quiet hours hold the follow-up back."""
    east = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{-east:+d}" if east else "Etc/GMT"


@contextmanager
def installed() -> Iterator[RunningKeepwell]:
    installation = new_installation(
        on_postgres=session_is_on_postgres(), KEEPWELL_TIMEZONE=noon_zone()
    )
    try:
        installation.start()
        yield installation
    except BaseException:
        sys.stderr.write(installation.log[-6000:])
        raise
    finally:
        remove(installation)


def test_a_purchase_becomes_points_a_question_an_answer_and_a_figure() -> None:
    with installed() as installation:
        walk(installation)


@pytest.mark.postgres
@pytest.mark.system
def test_the_same_on_postgresql() -> None:
    with installed() as installation:
        walk(installation)
