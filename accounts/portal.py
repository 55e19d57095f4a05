"""Who may sign in as a customer. The app that knows the customers registers how to find one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction

from accounts.models import Role, User


@dataclass(frozen=True, slots=True)
class CustomerLogin:
    """The customer who has an address, as far as signing in is concerned.

    user_id: the user who already signs in as this customer.
    link: called once with the new user's id, in the transaction that makes the user.
    """

    name: str
    language: str
    user_id: int | None
    link: Callable[[int], object]


CustomerLookup = Callable[[str], CustomerLogin | None]
_lookups: list[CustomerLookup] = []


def register_customer_lookup(lookup: CustomerLookup) -> None:
    """Tell sign-in how to find a customer by a casefolded email address."""
    _lookups[:] = [lookup]


@transaction.atomic
def open_login(email: str) -> User | None:
    """Return the user who signs in as the customer with this primary address.

    The user comes into being here; a customer's new address becomes the user's. None for unknown
    addresses, for the business's own people (they have passwords) and for closed accounts.
    """
    holder = User.objects.select_for_update().filter(email=email).first()
    if holder is not None and holder.role != Role.CUSTOMER:
        return None
    login = next((found for lookup in _lookups if (found := lookup(email))), None)
    if login is None:
        return None
    if holder is not None and holder.pk != login.user_id:
        # The address has moved on to another customer; the former one has a new address now.
        holder.email = f"{holder.pk}@moved.invalid"
        holder.save(update_fields=["email"])
    if login.user_id is None:
        user = User.objects.create_user(
            email, role=Role.CUSTOMER, name=login.name, language=login.language
        )
        login.link(user.pk)
        return user
    user = User.objects.get(pk=login.user_id)
    if user.role != Role.CUSTOMER or not user.is_active:
        return None
    if user.email != email:
        user.email = email
        user.save(update_fields=["email"])
    return user
