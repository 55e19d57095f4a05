"""The demo of real purchases; benchmarks/import_rate.py loads all of them."""

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Max, Min, Sum

from common.models import Event
from common.time import local_date, now
from config.demo import completejourney, loading
from config.demo.dataset import Calendar
from config.demo.loading import _plan
from crm.models import ContactPoint, Customer, Lead, Location, Order, OrderLine, Product
from crm.selectors import consent_in_force
from feedback.models import Complaint, Response
from tests.cast import make_customer

NEW_YORK = ZoneInfo("America/New_York")


def plan_of(moment, *, keep_dates=False):
    return _plan("completejourney", moment, 1, keep_dates, 0, 0)


def rows_of(source):
    for chunk in source.chunks(lambda *_reject: None):
        yield from zip(*(chunk.columns[name] for name in source.header), strict=True)


@pytest.mark.system
def test_every_line_comes_to_what_was_paid():
    dataset = completejourney.open_dataset(plan_of(now(), keep_dates=True))
    units: dict[str, int] = {}
    total, count = 0, 0
    orders, customers = set(), set()
    for chunk in dataset.orders(None, None).chunks(print):
        column = chunk.columns
        for text in {*column["unit_price"], *column["discount"]} - units.keys():
            units[text] = int(text.replace(".", ""))
        prices = [units[text] for text in column["unit_price"]]
        discounts = [units[text] for text in column["discount"]]
        total += sum(map(int.__mul__, map(int, column["quantity"]), prices)) - sum(discounts)
        count += len(chunk.lines)
        orders.update(column["order_id"])
        customers.update(column["customer_id"])

    assert min(units.values()) >= 0
    assert (count, len(orders), len(customers)) == (1_469_307, 155_848, 2_469)
    assert Decimal(total) / 10_000 == Decimal("4596039.58")


@pytest.mark.usefixtures("few")
def test_history_and_live_orders_share_the_purchases_out():
    dataset = completejourney.open_dataset(plan_of(now(), keep_dates=True))
    middle = datetime(2017, 10, 20, 5, tzinfo=UTC)

    live = list(rows_of(dataset.orders(middle, None)))
    history = list(rows_of(dataset.orders(None, middle)))

    assert min(datetime.fromisoformat(row[2]) for row in live) >= middle
    assert max(datetime.fromisoformat(row[2]) for row in history) < middle
    assert sorted(history + live) == sorted(rows_of(dataset.orders(None, None)))


@pytest.mark.parametrize("day", range(7))
def test_dates_move_by_whole_weeks_so_that_the_last_is_yesterday(settings, day):
    settings.KEEPWELL_TIMEZONE = "Asia/Shanghai"
    home = ZoneInfo("Asia/Shanghai")
    moment = datetime(2026, 3, 2 + day, 12, tzinfo=UTC)
    yesterday = local_date(moment) - timedelta(days=1)
    calendar = Calendar(plan_of(moment), home)
    year = [datetime(2017, 1, 1, 18, 30, tzinfo=NEW_YORK) + timedelta(days=n) for n in range(365)]

    moved = [calendar.moved(at).astimezone(home) for at in year]

    assert max(moved).date() == yesterday
    assert min(moved).date() >= yesterday - timedelta(days=364)
    assert len({there.date() for there in moved}) >= 364
    assert {(there.date() - at.date()).days % 7 for at, there in zip(year, moved, strict=True)} == {
        0
    }
    assert {there.time() for there in moved} == {year[0].time()}  # the hour on the wall


@pytest.mark.usefixtures("few")
def test_people_are_invented_in_three_languages_the_same_every_time():
    def people_of(seed):
        plan = replace(plan_of(now(), keep_dates=True), seed=seed)
        customers = completejourney.open_dataset(plan).customers
        return [dict(zip(customers.header, row, strict=True)) for row in rows_of(customers)]

    people = people_of(1)

    assert people == people_of(1) != people_of(2)
    assert {person["language"] for person in people} == {"en", "ru", "zh-hans"}
    assert all(person["email"].endswith("@example.org") for person in people)
    consenting = sum(person["marketing_consent"] == "yes" for person in people)
    assert 0.4 < consenting / len(people) < 0.8


def load(*arguments):
    out = io.StringIO()
    call_command("load_demo", *arguments, "--json", stdout=out, stderr=io.StringIO())
    return json.loads(out.getvalue())


@pytest.fixture(autouse=True)
def _own_data_folder(tmp_path, settings):
    settings.KEEPWELL_DATA_DIR = tmp_path / "data"


@pytest.mark.system
@pytest.mark.any_database
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("few")
def test_the_demo_is_a_living_business_and_loads_once():
    from loyalty.models import LiabilitySnapshot, PointsTransaction, Programme
    from loyalty.selectors import verify_ledger
    from metrics.models import RecomputeRun
    from outreach.models import Rule
    from outreach.services import enrol_due

    answer = load()

    assert answer["already_loaded"] is False
    assert answer["orders"] == Order.objects.count() > 2_000
    assert answer["lines"] == OrderLine.objects.count()
    assert Decimal(answer["revenue"]) == Order.objects.aggregate(sum=Sum("amount"))["sum"]
    assert Location.objects.exists()
    assert Product.objects.exclude(name="").exists()
    people = Customer.objects.all()
    assert all(people.values_list("is_invented", flat=True))
    assert ContactPoint.objects.filter(kind="email", is_primary=True).count() == people.count()
    assert consent_in_force(people.values_list("pk", flat=True), "surveys")
    yesterday = local_date(now()) - timedelta(days=1)
    last = Order.objects.aggregate(last=Max("ordered_at"))["last"]
    assert yesterday - timedelta(days=1) <= local_date(last) <= yesterday
    # The programme pays for what is entered live; what members did before has its past.
    programme = Programme.objects.get()
    live = Order.objects.filter(entry="live")
    assert live.aggregate(first=Min("ordered_at"))["first"] >= programme.starts_at
    earned = PointsTransaction.objects.filter(kind="earn")
    assert set(earned.filter(order__entry="live").values_list("order", flat=True)) == set(
        live.values_list("pk", flat=True)
    )
    past = earned.filter(order__entry="history")
    assert past.aggregate(last=Max("recorded_at"))["last"] < live.aggregate(
        first=Min("ordered_at")
    )["first"] + timedelta(days=1)
    kinds = set(PointsTransaction.objects.values_list("kind", flat=True))
    assert {"earn", "release", "redeem", "expire"} <= kinds
    assert LiabilitySnapshot.objects.filter(outstanding__gt=0).exists()
    assert verify_ledger().drifts == []
    # What is sold has invented costs; some of it brings people in, and some asked before.
    assert not OrderLine.objects.filter(unit_cost=None).exists()
    assert Product.objects.filter(kind="front_end", special_offer__isnull=False).exists()
    assert Lead.objects.exists()
    # Simulated opinions say that they are.
    assert answer["complaints"] == Complaint.objects.filter(is_simulated=True).count() > 0
    simulated = Response.objects.filter(is_simulated=True)
    assert answer["answers"] == simulated.count() > 0
    assert set(simulated.values_list("kind", flat=True)) == {"nps", "csat", "ces"}
    assert RecomputeRun.objects.filter(status="done").exists()
    assert Rule.objects.filter(is_active=True).count() == 1

    before = (Event.objects.count(), Order.objects.count(), Complaint.objects.count())
    again = load()

    assert again == answer | {"already_loaded": True}
    assert (Event.objects.count(), Order.objects.count(), Complaint.objects.count()) == before
    with pytest.raises(CommandError):
        load("--keep-dates")
    assert enrol_due(now()) > 0  # messages are due to consenting customers


@pytest.mark.system
@pytest.mark.any_database
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("few")
def test_with_the_dates_kept_messages_are_due_too():
    from mailing.models import Message
    from outreach.services import enrol_due

    load("--keep-dates")

    assert local_date(Order.objects.aggregate(last=Max("ordered_at"))["last"]).year <= 2018
    assert enrol_due(now()) > 0
    assert Message.objects.filter(state="pending").exists()


@pytest.mark.django_db
def test_it_does_not_mix_with_real_customers():
    make_customer(name="Somebody real")

    with pytest.raises(CommandError):
        load()

    assert Customer.objects.count() == 1
    assert not Event.objects.filter(kind=loading.BEGAN).exists()
