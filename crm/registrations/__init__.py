"""What crm adds to the registries of the apps below; a module per noun."""

from __future__ import annotations


def register() -> None:
    """Called once, when the apps are ready."""
    from crm.registrations import (
        calendars,
        commerce,
        customers,
        identity,
        imports,
        inbox,
        leads,
        leaving,
        lists,
        privacy,
        profile,
        standards,
        tasks,
        undoing,
    )

    for noun in (
        calendars,
        customers,
        identity,
        imports,
        inbox,
        leads,
        lists,
        privacy,
        profile,
        tasks,
        commerce,
        leaving,
        standards,
        undoing,
    ):
        noun.register()
