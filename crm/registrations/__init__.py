"""What crm adds to the registries of the apps below; a module per noun."""

from __future__ import annotations


def register() -> None:
    """Called once, when the apps are ready."""
    from crm.registrations import customers, profile

    for noun in (customers, profile):
        noun.register()
