"""What crm adds to the registries of the apps below."""

from __future__ import annotations


def register() -> None:
    """Called once, when the apps are ready."""
    from accounts.portal import register_customer_lookup
    from crm.logins import find_login

    register_customer_lookup(find_login)
