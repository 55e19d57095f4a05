"""``create_api_key NAME --role ROLE``: a program that uses the API."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from accounts.models import STAFF_ROLES, Role
from accounts.services import create_api_key
from common.command import Answer, KeepwellCommand
from common.time import now


class Command(KeepwellCommand):
    """Creates a key and prints it once; only a digest is kept."""

    help = "Create an API key; it is printed once and can never be read again."

    def add_options(self, parser: CommandParser) -> None:
        """For what, and as what."""
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--role", required=True, choices=sorted(STAFF_ROLES))

    def answer(self, **options: Any) -> Answer:
        """Create the key."""
        key, secret = create_api_key(
            name=options["name"], role=Role(options["role"]), created_at=now()
        )
        data = {"name": key.name, "role": key.role, "key": secret}
        return Answer(data, [f"Key of {key.name} ({key.role}), shown once:", secret])
