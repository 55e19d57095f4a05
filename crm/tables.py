"""Rows of the lists: a page of records with what is shown beside each, in a few queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from crm.models import Customer
from crm.roles import sees_contacts
from crm.selectors.contacts import Contact, contacts_of
from crm.selectors.figures import PurchaseFigures, purchase_figures


@dataclass(frozen=True, slots=True)
class CustomerRow:
    """A customer in a list."""

    customer: Customer
    contact: Contact
    figures: PurchaseFigures


def customer_rows(customers: Sequence[Customer], user: Any) -> list[CustomerRow]:
    """Return a row per customer, contacts masked as the user's role demands; two queries."""
    ids = [customer.pk for customer in customers]
    if not ids:
        return []
    contacts, figures = contacts_of(ids), purchase_figures(ids)
    return [
        CustomerRow(
            customer=customer,
            contact=shown_contact(contacts[customer.pk], user),
            figures=figures[customer.pk],
        )
        for customer in customers
    ]


def shown_contact(contact: Contact, user: Any) -> Contact:
    """Return the contact as this user may see it."""
    return contact if sees_contacts(user) else contact.masked()
