"""One customer's page: its head, its tabs, and what comes after it."""

from datetime import timedelta

import pytest

from common.registry import customer_tabs
from tests.budget import assert_query_budget
from tests.cast import make_customer, make_location, make_order

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

HTMX = {"HX-Request": "true"}


@pytest.fixture
def regular(clock):
    """Buys every two days, agreed to everything, and has a phone."""
    customer = make_customer(consent=True, phone="+79123456789")
    for day in range(40):
        make_order(
            customer=customer,
            ordered_at=clock() - timedelta(days=2 * day),
            location_id=make_location().pk if day < 5 else None,
        )
    return customer


# --- Tabs ---------------------------------------------------------------------------------------
def test_every_tab_opens_alone_and_as_a_page_within_the_budget(client_for, stan, regular):
    browser = client_for(stan)
    page = browser.get(f"/customers/{regular.ref}/").content.decode()
    for tab in customer_tabs:
        url = f"/customers/{regular.ref}/{tab.name}/"
        assert f'href="{url}"' in page
        fragment = assert_query_budget(browser, url, headers=HTMX)
        assert "<html" not in fragment.text
        whole = assert_query_budget(browser, url)
        assert whole.context["tab"] == tab.name
        assert 'aria-current="true"' in whole.text
        assert "<html" in whole.text


def test_going_back_in_the_history_shows_the_whole_page(client_for, stan, regular):
    headers = HTMX | {"HX-History-Restore-Request": "true"}
    answer = client_for(stan).get(f"/customers/{regular.ref}/orders/", headers=headers)
    assert "<html" in answer.text


def test_a_role_sees_only_its_tabs(client_for, ana, regular, monkeypatch):
    from dataclasses import replace

    from accounts.permissions import WRITERS
    from common import registry

    tabs = [replace(tab, roles=WRITERS) if tab.name == "orders" else tab for tab in customer_tabs]
    monkeypatch.setattr(registry, "customer_tabs", tabs)
    monkeypatch.setattr("crm.views.tabs.customer_tabs", tabs)
    shown = client_for(ana).get(f"/customers/{regular.ref}/").context["tabs"]
    assert "orders" not in {tab["name"] for tab in shown}
    assert shown


# --- What comes after the page ------------------------------------------------------------------
def test_the_page_and_its_later_pieces_keep_the_budget(client_for, stan, regular):
    browser = client_for(stan)
    for piece in ("", "summary/", "panels/"):
        assert_query_budget(browser, f"/customers/{regular.ref}/{piece}", headers=HTMX)


def test_other_apps_panels_come_with_their_glances(client_for, stan, regular):
    browser = client_for(stan)
    fragment = browser.get(f"/customers/{regular.ref}/panels/", headers=HTMX).text
    assert 'id="customer-glances"' in fragment
    assert "<html" not in fragment
    assert "<html" in browser.get(f"/customers/{regular.ref}/panels/").text
