"""The demo's logins: one per role, with passwords made for this installation."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from django.db import transaction

from accounts.models import Role, User
from accounts.services import create_user

STAFF_NAMES = {
    Role.ADMIN: "Ada Admin",
    Role.MANAGER: "Max Manager",
    Role.STAFF: "Sam Staff",
    Role.ANALYST: "Ann Analyst",
}


@dataclass(frozen=True, slots=True)
class Login:
    """Who can sign in how."""

    role: str
    email: str
    password: str


def ensure_staff_logins(data_dir: Path) -> list[Login]:
    """Return one login per staff role; makes what is missing."""
    return [
        _ensure(data_dir, role, f"{role.value}@keepwell.example", name)
        for role, name in STAFF_NAMES.items()
    ]


@transaction.atomic
def ensure_customer_login(data_dir: Path) -> Login | None:
    """Return the login of one demo customer, who has points; None while there is no customer."""
    from crm.models import Customer
    from crm.selectors import primary_email

    known = Customer.objects.filter(user__role=Role.CUSTOMER).select_related("user").first()
    if known is not None and known.user is not None:
        return _ensure(data_dir, Role.CUSTOMER, known.user.email, known.name)
    candidates = Customer.objects.filter(user=None)
    members = candidates.exclude(membership__account=None)
    customer = (
        members.order_by("-membership__account__active", "-membership__account__pending", "pk")
        or candidates.order_by("pk")
    ).first()
    if customer is None:
        return None
    email = primary_email(customer.pk) or "customer@keepwell.example"
    login = _ensure(data_dir, Role.CUSTOMER, email, customer.name)
    candidates.filter(pk=customer.pk).update(user=User.objects.get(email=login.email))
    return login


def _ensure(data_dir: Path, role: Role, email: str, name: str) -> Login:
    kept = _read(data_dir).get(role.value)
    login = kept if kept and kept.email == email else None
    user = User.objects.filter(email=email).first()
    if login is None:
        login = Login(role.value, email, secrets.token_urlsafe(12))
        _write(data_dir, login)
        if user is not None:
            user.set_password(login.password)
            user.save(update_fields=["password"])
    if user is None:
        create_user(email=email, role=role, name=name, password=login.password)
    return login


def _file(data_dir: Path) -> Path:
    return data_dir / "demo-logins.json"


def _read(data_dir: Path) -> dict[str, Login]:
    try:
        entries = json.loads(_file(data_dir).read_text())
    except FileNotFoundError:
        return {}
    return {entry["role"]: Login(**entry) for entry in entries}


def _write(data_dir: Path, login: Login) -> None:
    logins = _read(data_dir) | {login.role: login}
    handle = os.open(_file(data_dir), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump([asdict(entry) for entry in logins.values()], file, indent=2)
