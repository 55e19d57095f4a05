"""The cast and the tools of every test.

Alice is the admin, Mara manages, Stan serves customers, Ana reads figures. Kim is a customer who
signs in; Pat is another customer, a stranger to Kim.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.core.cache import caches
from django.db import connection
from django.test import Client, TransactionTestCase
from django.utils import translation
from rest_framework.test import APIClient

from accounts.models import Role, User
from accounts.services import create_api_key, create_user
from common.append_only import triggers_lifted
from common.time import now
from tests.cast import PASSWORD, make_customer
from tests.requirements import (  # hooks: pytest finds them by their names here
    IS_MUTATED,
    pytest_collection_modifyitems,
    pytest_runtest_logreport,
    pytest_sessionfinish,
)

if IS_MUTATED:
    from tests.mutation import copy_tables, django_db_modify_db_settings  # noqa: F401 - a fixture

__all__ = ["pytest_collection_modifyitems", "pytest_runtest_logreport", "pytest_sessionfinish"]


def _put_in_ready_rows() -> None:
    import_module("crm.migrations.0009_ready_cancel_reasons").install(apps, None)


def _flush_append_only_tables_too() -> None:
    """A transactional test ends by flushing the tables, which append-only triggers refuse."""
    flush = TransactionTestCase._fixture_teardown

    def teardown(self: TransactionTestCase) -> None:
        with triggers_lifted():
            flush(self)
        _put_in_ready_rows()  # what migrations put in went, too

    TransactionTestCase._fixture_teardown = teardown  # type: ignore[method-assign]


_flush_append_only_tables_too()


def pytest_collection_finish() -> None:
    """What was loaded by now stays: looking through it for garbage took a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


@pytest.fixture(scope="session")
def django_db_use_migrations(request: pytest.FixtureRequest) -> bool:
    """Only the system's tests migrate; else tables come from the models: a second, not twenty."""
    return request.config.option.markexpr.startswith("system")


@pytest.fixture(scope="session")
def django_db_setup(
    django_db_setup: None, django_db_use_migrations: bool, django_db_blocker: Any
) -> None:
    """Put in what migrations would have put in."""
    with django_db_blocker.unblock():
        if IS_MUTATED:
            copy_tables()
        if not django_db_use_migrations:
            _put_in_ready_rows()
            with connection.schema_editor() as schema_editor:
                import_module("crm.migrations.0003_search_indexes").add_trigrams(
                    apps, schema_editor
                )


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    """No throttle, cached value or language of one test reaches the next."""
    yield
    for cache in caches.all(initialized_only=True):
        cache.clear()
    translation.deactivate()


def _staff(role: Role, name: str) -> User:
    return create_user(
        email=f"{name.lower()}@keepwell.example", role=role, name=name, password=PASSWORD
    )


@pytest.fixture
def alice(db: None) -> User:
    """The admin."""
    return _staff(Role.ADMIN, "Alice")


@pytest.fixture
def mara(db: None) -> User:
    """The manager."""
    return _staff(Role.MANAGER, "Mara")


@pytest.fixture
def stan(db: None) -> User:
    """Serves customers."""
    return _staff(Role.STAFF, "Stan")


@pytest.fixture
def ana(db: None) -> User:
    """Reads figures."""
    return _staff(Role.ANALYST, "Ana")


def _customer_with_login(name: str) -> User:
    email = f"{name.lower()}@customers.example"
    customer = make_customer(name=name, email=email, language="en", consent=True)
    customer.user = create_user(email=email, role=Role.CUSTOMER, name=name)
    customer.save(update_fields=["user"])
    return customer.user


@pytest.fixture
def kim(db: None) -> User:
    """A customer with a login; ``kim.customer`` is the customer."""
    return _customer_with_login("Kim")


@pytest.fixture
def pat(db: None) -> User:
    """Another customer, a stranger to Kim."""
    return _customer_with_login("Pat")


@pytest.fixture
def user_with_role(request: pytest.FixtureRequest) -> Callable[[str], User]:
    """``role -> the persona who has it``."""
    names = {"admin": "alice", "manager": "mara", "staff": "stan", "analyst": "ana"}
    names["customer"] = "kim"
    return lambda role: request.getfixturevalue(names[role])


@pytest.fixture
def client_for() -> Callable[[User | None], Client]:
    """``user -> a browser signed in as that user``; None is nobody."""

    def browser(user: User | None) -> Client:
        client = Client()
        if user is not None:
            client.force_login(user)
        return client

    return browser


@pytest.fixture
def api_client(db: None) -> Callable[..., APIClient]:
    """``role -> a program with a real key of that role``; no role is nobody."""

    def program(role: str | None = Role.ADMIN) -> APIClient:
        client = APIClient()
        if role is not None:
            _key, secret = create_api_key(name=f"{role} key", role=Role(role), created_at=now())
            client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
        return client

    return program


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, **step: Any) -> datetime:
        """Move by ``timedelta(**step)`` and return the new moment."""
        self.moment += timedelta(**step)
        return self.moment


@pytest.fixture
def clock() -> Iterator[Clock]:
    """Stop ``common.time.now`` everywhere it was imported, at a Monday noon of 2026.

    Afterwards it goes on everywhere, also in modules that were first imported while it stood.
    """
    standing = Clock(datetime(2026, 3, 2, 12, 0, tzinfo=UTC))
    ticking = now  # this module's own name is replaced on the way, too
    _put_in_place(of=ticking, put=standing)
    yield standing
    _put_in_place(of=standing, put=ticking)


def _put_in_place(*, of: Any, put: Any) -> None:
    for module in list(sys.modules.values()):
        if getattr(module, "now", None) is of:
            module.now = put  # type: ignore[attr-defined]
