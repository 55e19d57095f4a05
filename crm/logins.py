"""How sign-in, which knows no customers, finds the one who has an address; and forgets them."""

from __future__ import annotations

from typing import Any

from accounts.models import User
from accounts.portal import CustomerLogin
from accounts.services import erase_user
from common.services import SYSTEM
from common.time import now
from crm.selectors import find_customer_by_email, language_of
from crm.services import link_login


def find_login(email: str) -> CustomerLogin | None:
    """Return the login of the one customer with this primary address, if any."""
    customer = find_customer_by_email(email)
    if customer is None:
        return None
    customer_id = customer.pk
    return CustomerLogin(
        name=customer.name,
        language=language_of(customer),
        user_id=customer.user_id,
        link=lambda user_id: link_login(customer_id=customer_id, user_id=user_id),
    )


def export_logins(customer_ids: list[int]) -> list[dict[str, Any]]:
    """The users who sign in as the customers."""
    users = User.objects.filter(customer__pk__in=customer_ids).order_by("pk")
    return [dict(row) for row in users.values("email", "name", "language", "last_login")]


def erase_logins(customer_ids: list[int]) -> int:
    """Close the users' accounts; to be called while the customers still point to them."""
    users = User.objects.filter(customer__pk__in=customer_ids, is_active=True)
    ids = list(users.values_list("pk", flat=True))
    for user_id in ids:
        erase_user(user_id=user_id, happened_at=now(), actor=SYSTEM)
    return len(ids)
