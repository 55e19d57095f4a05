"""Every file of the demo imported again changes nothing, whoever made the file."""

import csv
import hashlib
import io
from collections import Counter

import pytest
from django.apps import apps
from django.core.management import call_command
from django.test import Client

from accounts.models import Role
from accounts.services import create_user
from common.models import Event
from common.time import now
from config.demo import completejourney, loading, synthetic
from config.demo.dataset import DemoPlan
from crm.imports.files import import_file
from crm.imports.kinds import kinds
from crm.models import Customer, Order, Product
from tests.cast import ACTOR
from tests.crm.imports.conftest import counts

pytestmark = [
    pytest.mark.slow,
    pytest.mark.system,
    pytest.mark.long,
    pytest.mark.django_db(transaction=True),
]
SYNTHETIC = ("--source", "synthetic", "--customers", "200", "--months", "8")
QUERIES = {"interactions": "days=365", "costs": "year=2026"}
NOT_LISTED = {"leads", "points_balances"}  # kinds of which there is no list to take out
EMPTY = {"rates", "cancel_requests"}  # the demo's money is one; reasons go with the test before
OF_APPS = ("crm", "feedback", "loyalty", "outreach", "mailing")


@pytest.fixture(params=["completejourney", "synthetic"])
def demo(request, tmp_path, settings):
    """The demo is loaded; its parts as they came, by kind."""
    settings.KEEPWELL_DATA_DIR = tmp_path / "data"
    if request.param == "completejourney":
        request.getfixturevalue("few")
    arguments = SYNTHETIC if request.param == "synthetic" else ()
    call_command("load_demo", *arguments, stdout=io.StringIO(), stderr=io.StringIO())
    module = synthetic if request.param == "synthetic" else completejourney
    plan = DemoPlan.from_codes(Event.objects.get(kind=loading.BEGAN).codes)
    dataset = module.open_dataset(plan)
    return {
        "locations": dataset.locations,
        "products": dataset.products,
        "customers": dataset.customers,
        "leads": dataset.leads,
        "orders": dataset.orders(None, None),
    }


@pytest.fixture
def again(tmp_path):
    """``kind, content -> outcome`` of importing a file as history."""

    def run(kind, content, file_format="csv"):
        path = tmp_path / f"{kind}.{file_format}"
        path.write_bytes(content)
        return import_file(kind=kind, path=path, mode="history", actor=ACTOR, happened_at=now())

    return run


def file_of(source):
    """A part of the demo as a CSV file."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(source.header)
    for chunk in source.chunks(lambda *_reject: None):
        writer.writerows(zip(*(chunk.columns[name] for name in source.header), strict=True))
    return out.getvalue().encode()


def everything():
    """Every row of every table that imports may touch, but what is told of imports themselves."""
    found = {}
    for model in apps.get_models():
        label = model._meta.label
        if model._meta.app_label in OF_APPS and not label.startswith("crm.Import"):
            rows = sorted(map(repr, model.objects.values_list()))
            found[label] = len(rows), hashlib.sha256("\n".join(rows).encode()).hexdigest()
    return found


def test_every_file_of_the_demo_again_changes_nothing(demo, again):
    # Workbooks of many rows take minutes, and hold the same.
    formats = ("csv", "xlsx") if Order.objects.count() < 1_000 else ("csv",)
    before, events = everything(), Event.objects.count()

    for kind, source in demo.items():
        outcome = again(kind, file_of(source))
        created, updated, unchanged, rejected = counts(outcome)
        assert (created, updated, rejected) == (0, 0, 0), (kind, outcome.rejects)
        assert unchanged, kind

    assert everything() == before
    assert Event.objects.count() == events

    client = Client()
    client.force_login(create_user(email="boss@keepwell.example", role=Role.MANAGER, name="Bo"))
    seen = Counter()
    for kind in kinds().keys() - NOT_LISTED:
        for file_format in formats:
            asked = {"query": QUERIES.get(kind, ""), "format": f"{file_format}-all"}
            answer = client.post(f"/exports/{kind}/", asked)
            outcome = again(kind, b"".join(answer.streaming_content), file_format)
            created, updated, unchanged, rejected = counts(outcome)
            assert (created, updated, rejected) == (0, 0, 0), (kind, outcome.rejects)
            seen[kind] += unchanged

    assert everything() == before
    assert seen["orders"] == len(formats) * Order.objects.count()
    assert seen["customers"] == len(formats) * Customer.objects.count()
    assert seen["products"] == len(formats) * Product.objects.count()
    assert {kind for kind, rows in seen.items() if not rows} <= EMPTY
