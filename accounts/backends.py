"""Passwords open doors for the business's people only; customers sign in by emailed code."""

from __future__ import annotations

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest


class PasswordBackend(AuthenticationBackend):  # type: ignore[misc]
    """Allauth's backend, closed to customers even if one had a password.

    Except in the demo, which prints a customer's login beside the others.
    """

    def _check_password(
        self, user: AbstractBaseUser | None, password: str
    ) -> AbstractBaseUser | None:
        found: Any = super()._check_password(user, password)  # first, so that time tells nothing
        return found if found and (found.works_here or settings.IS_DEMO) else None


def sign_in_name(request: HttpRequest, credentials: dict[str, Any] | None) -> str | None:
    """Return the account that a sign-in is counted against: the address, casefolded."""
    name = (credentials or {}).get("email") or request.POST.get("login")
    return str(name).strip().casefold()[:254] if name else None
