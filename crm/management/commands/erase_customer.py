"""``erase_customer REF``: forget a person; past figures stay as they were."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from common.command import Answer, KeepwellCommand
from common.services import SYSTEM
from common.time import now
from crm.selectors import get_customer
from crm.services.erasure import erase_customer


class Command(KeepwellCommand):
    """Erase a customer for good."""

    help = "Erase a person for good: all their records, in every app. Figures of the past stay."

    def add_options(self, parser: CommandParser) -> None:
        """Whom."""
        parser.add_argument("ref", help="the customer's ref or external id")

    def answer(self, **options: Any) -> Answer:
        """Erase, and say what went; the answer names nobody."""
        customer = get_customer(options["ref"])
        erasure = erase_customer(customer_id=customer.pk, happened_at=now(), actor=SYSTEM)
        data = {
            "ref": customer.ref,
            "records": erasure.records,
            "rows": erasure.rows,
            "files": erasure.files,
        }
        lines = [
            f"{customer.ref} is erased: {erasure.records} record(s), "
            f"{sum(erasure.rows.values())} rows, {erasure.files} files"
        ]
        return Answer(data=data, lines=lines)
