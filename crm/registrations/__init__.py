"""What crm adds to the registries of the apps below; a module per noun."""

from __future__ import annotations


def register() -> None:
    """Called once, when the apps are ready."""
    from crm.registrations import customers, privacy, profile, tasks

    for noun in (customers, privacy, profile, tasks):
        noun.register()
