"""What of crm's lists is given out as files: columns named as an import knows them."""

from __future__ import annotations


def register() -> None:
    """Called once, when the apps are ready."""
    from crm.exports import catalogue, contacts, customers, leaving, money, orders, settings, work

    for noun in (catalogue, contacts, customers, leaving, money, orders, settings, work):
        noun.register()
