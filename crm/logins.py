"""How sign-in, which knows no customers, finds the one who has an address."""

from __future__ import annotations

from accounts.portal import CustomerLogin
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
