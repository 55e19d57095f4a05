"""Synthetic purchases: the same by seed, alive, and as large as one likes."""

import io
import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from common.time import local_date, now
from config.demo import synthetic
from config.demo.loading import _plan
from config.demo.service import FOR_EACH_NEW
from crm.models import Customer, Order
from feedback.models import Complaint, Response


def dataset(*, seed=1, customers=200, months=6):
    return synthetic.open_dataset(_plan("synthetic", now(), seed, True, customers, months))


def everything(data):
    return [
        [dict(chunk.columns) for chunk in source.chunks(lambda *_reject: None)]
        for source in (data.locations, data.products, data.customers, data.orders(None, None))
    ]


def test_the_same_seed_makes_the_same_data():
    assert everything(dataset(seed=5)) == everything(dataset(seed=5))
    assert everything(dataset(seed=5)) != everything(dataset(seed=6))


def test_a_larger_size_is_made_block_by_block(monkeypatch):
    monkeypatch.setattr(synthetic, "BLOCK", 50)
    data = dataset(customers=180)

    chunks = list(data.customers.chunks(lambda *_reject: None))

    assert [len(chunk.lines) for chunk in chunks] == [50, 50, 50, 30]
    ids = [key for chunk in chunks for key in chunk.columns["external_id"]]
    assert len(set(ids)) == 180
    buyers = {
        key
        for chunk in data.orders(None, None).chunks(lambda *_reject: None)
        for key in chunk.columns["customer_id"]
    }
    assert buyers == set(ids)  # everybody bought at least once


def test_first_purchases_are_mostly_front_end_and_later_ones_core():
    columns = [chunk.columns for chunk in dataset(customers=2_000).orders(None, None).chunks(print)]
    lines = [
        (order.endswith("-1"), sku[0])
        for chunk in columns
        for order, sku in zip(chunk["order_id"], chunk["sku"], strict=True)
    ]
    first = [kind for is_first, kind in lines if is_first]
    later = [kind for is_first, kind in lines if not is_first]

    assert first.count("F") / len(first) > 0.6
    assert later.count("C") / len(later) > 0.6


def test_what_the_figures_need_is_there():
    data = dataset(customers=1_000)
    [people] = [chunk.columns for chunk in data.customers.chunks(print)]
    [products] = [chunk.columns for chunk in data.products.chunks(print)]
    [leads] = [chunk.columns for chunk in data.leads.chunks(print)]
    lines = [chunk.columns for chunk in data.orders(None, None).chunks(print)]

    assert {"", "family", "organic"} < set(people["tags"])
    assert set(people["source"]) == {"walk-in", "mailer", "friend", "web"}
    assert 0.02 < sum(map(bool, people["industry"])) / 1_000 < 0.2
    assert 0.8 < sum(map(bool, people["acquisition_cost"])) / 1_000 < 1
    costs = [float(cost) for cost in people["acquisition_cost"] if cost]
    assert FOR_EACH_NEW / 2 < sum(costs) / len(costs) < FOR_EACH_NEW  # the rest is for everybody
    offered = {sku for sku in products["special_offer_sku"] if sku}
    assert offered
    assert offered < set(products["sku"])
    assert set(leads["external_id"]) < set(people["external_id"])
    assert all(cost for columns in lines for cost in columns["unit_cost"])


@pytest.mark.system
@pytest.mark.django_db(transaction=True)
def test_it_loads_through_the_import_and_only_once(tmp_path, settings):
    from outreach.services import enrol_due

    settings.KEEPWELL_DATA_DIR = tmp_path / "data"

    def load(seed):
        out = io.StringIO()
        arguments = ["--source", "synthetic", "--customers", "300", "--months", "6"]
        call_command(
            "load_demo", *arguments, "--seed", seed, "--json", stdout=out, stderr=io.StringIO()
        )
        return json.loads(out.getvalue())

    answer = load("3")

    assert answer["customers"] == Customer.objects.filter(is_invented=True).count() == 300
    last = Order.objects.order_by("-ordered_at").first()
    assert local_date(last.ordered_at) == local_date(now()) - timedelta(days=1)
    assert answer["complaints"] == Complaint.objects.count()
    assert answer["answers"] == Response.objects.count() > 0
    assert load("3") == answer | {"already_loaded": True}
    assert enrol_due(now()) > 0
    with pytest.raises(CommandError):
        load("4")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--source", "synthetic", "--customers", "0"],
        ["--source", "synthetic", "--months", "0"],
        ["--seed", "-1"],
        ["--customers", "5"],
    ],
)
def test_sizes_that_make_no_sense_have_exit_code_2(arguments):
    with pytest.raises(CommandError) as refusal:
        call_command("load_demo", *arguments, stdout=io.StringIO(), stderr=io.StringIO())

    assert refusal.value.returncode == 2
