"""The tags that templates show with."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.template import Context, Template, engines


def render(source: str, **context: Any) -> str:
    return Template("{% load keepwell %}" + source).render(Context(context))


def test_an_icon_is_hidden_from_screen_readers_unless_it_has_a_label() -> None:
    assert 'aria-hidden="true"' in render('{% icon "users" %}')
    labelled = render('{% icon "users" label=label %}', label="<b>")
    assert 'aria-label="&lt;b&gt;"' in labelled
    assert "aria-hidden" not in labelled


def test_an_asset_address_changes_with_the_file() -> None:
    address = render('{% asset "css/theme.css" %}')
    assert address.startswith("/static/css/theme.css?v=")
    assert not address.endswith("?v=0")


def test_values_work_as_filters_and_as_tags() -> None:
    amount = Decimal("29.9")
    assert render('{{ amount|money:"EUR" }}', amount=amount) == "€29.90"
    assert render('{% money amount "EUR" %}', amount=amount) == "€29.90"
    assert render("{{ ratio|percent:0 }}", ratio=0.5) == "50\u00a0%"


def test_money_without_a_currency_is_the_organisations(settings: Any) -> None:
    settings.KEEPWELL_CURRENCY = "GBP"
    assert render("{{ 5|money }}") == "£5.00"


def test_a_time_carries_its_machine_form() -> None:
    moment = datetime(2024, 3, 5, 11, 5, tzinfo=UTC)
    assert 'datetime="2024-03-05T11:05:00Z"' in render("{{ moment|local }}", moment=moment)
    assert ">5 Mar 2024</time>" in render('{{ moment|local:"date" }}', moment=moment)


def test_a_chart_comes_with_its_data_and_a_table() -> None:
    data = {
        "type": "line",
        "labels": ["Q1", "Q2"],
        "unit": "percent",
        "series": [{"name": "Kept", "values": ["0.5", None], "low": ["0.4", None],
                    "high": ["0.6", None]}],
    }  # fmt: skip
    page = render('{% chart data "kept" caption=caption %}', data=data, caption="Kept <customers>")
    assert '<figure class="chart' in page
    assert 'data-chart="kept"' in page
    assert '<script id="kept" type="application/json">' in page
    assert "Kept &lt;customers&gt;" in page
    assert "40.0\u00a0% – 60.0\u00a0%" in page
    assert page.count('<td class="text-end tabular">–</td>') == 2  # no value, no interval


def test_the_table_of_a_chart_of_counts_has_whole_numbers() -> None:
    series = [{"name": "Customers", "values": [2.0, 1000.0]}]
    data = {"type": "bar", "labels": ["a", "b"], "unit": "count", "series": series}
    page = render('{% chart data "counts" %}', data=data)
    assert '<td class="text-end tabular">2</td>' in page
    assert '<td class="text-end tabular">1,000</td>' in page


def test_the_table_of_a_chart_of_scores_has_the_decimals_that_are_asked_for() -> None:
    series = [{"name": "Answers", "values": [33.333333], "low": [-26.743259], "high": [71.187703]}]
    data = {"type": "line", "labels": ["a"], "unit": "score", "places": 0, "series": series}
    page = render('{% chart data "scores" %}', data=data)
    assert '<td class="text-end tabular">33</td>' in page
    assert '<td class="text-end tabular">\u221227 – 71</td>' in page


def test_a_heat_map_needs_no_second_table() -> None:
    data = {"type": "heat", "labels": ["0"], "unit": "count",
            "series": [{"name": "May", "values": [1]}]}  # fmt: skip
    assert "<details" not in render('{% chart data "cohorts" %}', data=data)


def test_a_band_lies_where_the_figure_does() -> None:
    band = render("{% band 0.25 0.2 0.4 limit=0.05 %}")
    assert 'x="20.0" y="1" width="20.0"' in band
    assert 'x1="25.0"' in band
    assert 'x1="5.0"' in band
    assert render("{% band None None None %}").strip() == ""


def test_a_band_stays_on_its_scale_in_every_language() -> None:
    from django.utils.translation import override

    with override("ru"):
        band = render("{% band 34.5 21 146 smallest=-100 largest=100 %}")
    assert 'x1="67.25"' in band
    assert 'width="39.5"' in band


def test_a_block_can_be_repeated_as_plain_text() -> None:
    page = engines["django"].from_string(
        '{% extends "base_public.html" %}{% block title %}A &amp; <em>B</em>{% endblock %}'
    )
    html = page.render({})
    assert " ".join(html.split("<title>")[1].split("</title>")[0].split()) == "A &amp; B · Keepwell"
    assert '<h1 class="page-title">A &amp; <em>B</em></h1>' in html
