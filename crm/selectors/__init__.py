"""Reads of the crm app."""

from crm.selectors.consent import consent_in_force, consents_of, has_consent
from crm.selectors.customers import (
    find_customer_by_email,
    find_customer_of_user,
    get_customer,
    language_of,
    primary_email,
    primary_emails,
)

__all__ = [
    "consent_in_force",
    "consents_of",
    "find_customer_by_email",
    "find_customer_of_user",
    "get_customer",
    "has_consent",
    "language_of",
    "primary_email",
    "primary_emails",
]
