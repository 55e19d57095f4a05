"""What figures are to reach, and what pages say about it."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.test import Client

from accounts.models import User
from common.errors import InvalidInput, NotFound
from common.models import Event
from common.time import now
from metrics.models import KpiTarget
from metrics.selectors.figures import figure_from
from metrics.selectors.targets import list_targets
from metrics.services.targets import set_target
from metrics.targets import target_words
from tests.cast import ACTOR
from tests.metrics.snapshots import make_figure, make_run
from tests.metrics.test_pages import text
from tests.metrics.worlds import customers

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def set_to(value: str | None, key: str = "retention_rate") -> None:
    set_target(key=key, value=Decimal(value) if value else None, happened_at=now(), actor=ACTOR)


@pytest.fixture
def retained() -> None:
    """Thirty of forty stayed: 75 %, likely between 59.8 and 85.8 %."""
    everybody = customers(40)
    sets = {"denominator": everybody, "numerator": everybody[:30], "lost": everybody[30:]}
    make_figure(make_run(), "retention_rate", "2025-Q4", sets=sets)


def test_a_target_is_set_changed_and_taken_away_each_told_once() -> None:
    for value in ("65", "65", "70.5", None, None):
        set_to(value)
    assert list_targets() == {}
    kinds = Event.objects.filter(subject_ref="retention_rate").values_list("kind", flat=True)
    assert list(kinds.order_by("id")) == ["target.set", "target.set", "target.removed"]


@pytest.mark.parametrize("value", ["-1", "65.00001", "100.1", "1e40", "NaN", "Infinity"])
def test_a_target_that_cannot_be_is_refused(value: str) -> None:
    set_to("65")
    with pytest.raises(InvalidInput):
        set_to(value)
    assert list_targets() == {"retention_rate": Decimal(65)}


@pytest.mark.parametrize("key", ["nps", "revenue_churn_net", "clv_historic", "member_lift"])
def test_what_can_be_below_0_may_have_such_a_target(key: str) -> None:
    set_to("-10", key)
    assert list_targets() == {key: Decimal(-10)}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("nps", "-100.5"),
        ("satisfaction_retention", "101"),
        ("average_order_value", "-1"),
        ("clv_historic", "1e13"),
    ],
)
def test_a_target_no_figure_can_reach_is_refused(key: str, value: str) -> None:
    with pytest.raises(InvalidInput):
        set_to(value, key)
    assert list_targets() == {}


def test_more_than_was_brought_before_may_be_kept_of_revenue() -> None:
    set_to("120", "net_revenue_retention")
    assert list_targets() == {"net_revenue_retention": Decimal(120)}


def test_a_figure_with_a_target_has_to_exist() -> None:
    with pytest.raises(NotFound):
        set_to("1", "nonsense")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("50", "Target 50.0 %: reached, certain."),
        ("90", "Target 90.0 %: missed, certain."),
        ("70", "Target 70.0 %: can't tell whether it is reached."),
    ],
)
def test_whether_a_target_is_reached_is_as_sure_as_the_figure(
    retained: None, client_for: Callable[[User], Client], mara: User, target: str, words: str
) -> None:
    set_to(target)
    for url in ("/metrics/", "/metrics/retention/", "/metrics/retention_rate/"):
        assert words in text(client_for(mara), url).replace("&#x27;", "'")


def test_where_less_is_better_a_target_is_reached_below_it() -> None:
    figure = make_figure(make_run(), "churn_rate", "2025-Q4", numerator=10, denominator=400)
    reached = target_words(figure_from(figure), Decimal(5))
    assert reached.replace("\u00a0", " ") == "Target 5.0 %: reached, certain."
    missed = target_words(figure_from(figure), Decimal(1))
    assert missed.replace("\u00a0", " ") == "Target 1.0 %: missed, certain."
    assert target_words(figure_from(figure), None) == ""


@pytest.mark.parametrize("value", ["70", "0", "70.5", "1000000"])
def test_the_field_has_the_target_as_one_types_it(
    client_for: Callable[[User], Client], alice: User, value: str
) -> None:
    set_to(value, "average_order_value")
    page = client_for(alice).get("/metrics/average_order_value/target/").content.decode()
    [field] = re.findall(r'<input[^>]*name="value"[^>]*>', page)
    assert f'value="{value}"' in field


def test_an_admin_sets_a_target_on_its_page(
    client_for: Callable[[User], Client], alice: User
) -> None:
    browser, url = client_for(alice), "/metrics/retention_rate/target/"
    assert "In per cent" in text(browser, url)
    make_figure(make_run(), "retention_rate", "2025-Q4", numerator=70, denominator=100)
    assert "Q4 2025: 70.0 % 70 of 100." in text(browser, url)
    assert browser.post(url, {"value": "65"}).status_code == 302
    assert KpiTarget.objects.get().value == 65
    refused = browser.post(url, {"value": "-3"})
    assert refused.status_code == 422
    assert "Enter a number from 0 to 100." in refused.content.decode()
    assert KpiTarget.objects.get().value == 65
    assert browser.post(url, {"value": ""}).status_code == 302
    assert not KpiTarget.objects.exists()
