"""Every page stays within its query budget on an installation full of demo data."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.management import call_command
from django.db.models import Count
from django.test import Client

from accounts.models import User
from common.sweeping import run_sweeper
from common.time import now
from crm.models import Customer, Order, Product
from feedback.models import Complaint, Invitation
from feedback.services import survey_url
from outreach.models import Rule
from tests.architecture.test_pages import pages_of
from tests.architecture.test_role_matrix import address
from tests.architecture.world import World, make_world
from tests.budget import assert_query_budget

pytestmark = [pytest.mark.django_db, pytest.mark.system, pytest.mark.any_database]


def busiest_world() -> tuple[World, Customer]:
    """Names for URLs: the customer who bought most, and whatever else there is one of."""
    busiest = (
        Order.objects.exclude(customer=None)
        .values("customer_id")
        .annotate(orders=Count("id"))
        .order_by("-orders")
        .values_list("customer_id", flat=True)[0]
    )
    customer = Customer.objects.get(pk=busiest)
    invitation = Invitation.objects.all()[0]
    return replace(
        make_world(customer),
        order=Order.objects.filter(customer=customer)[0].ref,
        product=Product.objects.all()[0].ref,
        location=customer.location.code,
        complaint=Complaint.objects.all()[0].ref,
        survey=urlsplit(survey_url(invitation)).path.split("/")[2],
        rule=Rule.objects.all()[0].key,
    ), customer


def test_every_page_keeps_the_query_budget_with_the_demo_data(
    settings: Any,
    tmp_path: Path,
    user_with_role: Callable[[str], User],
    client_for: Callable[[User | None], Client],
) -> None:
    settings.KEEPWELL_DATA_DIR = tmp_path
    quiet = {"stdout": io.StringIO(), "stderr": io.StringIO()}
    size = ("--customers", "300", "--months", "8")
    call_command("load_demo", "--source", "synthetic", *size, **quiet)
    run_sweeper("outreach.enrol", now())
    world, customer = busiest_world()
    opened = 0
    for role in ("admin", "customer"):
        user = user_with_role(role)
        if role == "customer":
            Customer.objects.filter(user=user).update(user=None)
            Customer.objects.filter(pk=customer.pk).update(user=user)
        client = client_for(user)
        for name in pages_of(role):
            url = address(name, world)
            if not name.startswith(("account_", "mfa_")) and client.get(url).status_code == 200:
                assert_query_budget(client, url)
                opened += 1
    assert opened > 40
