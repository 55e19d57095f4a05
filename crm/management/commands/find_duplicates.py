"""``find_duplicates``: compare all customers and keep the pairs that look alike."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from common.command import Answer, KeepwellCommand
from common.time import now
from crm.services.duplicates import find_duplicates


class Command(KeepwellCommand):
    """Look for duplicates among all customers."""

    help = "Compare all customers and keep the pairs that look alike, for review."

    def answer(self, **options: Any) -> Answer:
        """Search, and say what was found."""
        found = find_duplicates(happened_at=now())
        return Answer(
            {"compared": found.compared, "new": found.new, "gone": found.gone},
            [
                _("%(compared)s pairs compared: %(new)s new to review, %(gone)s no longer alike.")
                % {"compared": found.compared, "new": found.new, "gone": found.gone}
            ],
        )
