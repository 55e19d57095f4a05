"""``create_user EMAIL --role ROLE``: somebody of the business who signs in."""

from __future__ import annotations

import secrets
import sys
from typing import Any

from django.core.management.base import CommandParser

from accounts.models import STAFF_ROLES, Role
from accounts.services import create_user
from common.command import Answer, KeepwellCommand


class Command(KeepwellCommand):
    """Creates a user; without ``--password-stdin`` a random password is printed once."""

    help = "Create somebody who signs in; prints a random password once unless one is given."

    def add_options(self, parser: CommandParser) -> None:
        """Who, as what, and where the password comes from."""
        parser.add_argument("email", metavar="EMAIL")
        parser.add_argument("--role", required=True, choices=sorted(STAFF_ROLES))
        parser.add_argument("--name", default="")
        parser.add_argument(
            "--password-stdin", action="store_true", help="read the password's line from stdin"
        )

    def answer(self, **options: Any) -> Answer:
        """Create the user."""
        given = sys.stdin.readline().rstrip("\n") if options["password_stdin"] else None
        password = secrets.token_urlsafe(12) if given is None else given
        user = create_user(
            email=options["email"],
            role=Role(options["role"]),
            name=options["name"],
            password=password,
        )
        data = {"email": user.email, "role": user.role}
        lines = [f"Created {user.email} ({user.role})."]
        if given is None:
            data["password"] = password
            lines.append(f"Password (shown once): {password}")
        return Answer(data, lines)
