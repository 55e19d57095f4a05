"""The sign-in forms that differ from allauth's."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.forms import RequestLoginCodeForm, ResetPasswordForm
from allauth.core import context, ratelimit

from accounts.models import User
from accounts.portal import open_login
from common import validators


class CodeRequestForm(RequestLoginCodeForm):  # type: ignore[misc]
    """Asks for a code by email. The answer is the same whether the address is known or not."""

    def clean_email(self) -> str:
        """Count the request, then look for the customer."""
        email = validators.clean_email(self.cleaned_data["email"])
        # Counted for unknown addresses too, else the limit itself would tell.
        if not ratelimit.consume(context.request, action="request_login_code", key=email):
            raise get_adapter().validation_error("too_many_login_attempts")
        self._user: Any = open_login(email)
        return email


class PasswordResetForm(ResetPasswordForm):  # type: ignore[misc]
    """Asks for a new password; only the business's people have one."""

    def clean_email(self) -> str:
        """Leave customers out; the answer stays the same."""
        email: str = super().clean_email()
        self.users: list[User] = [user for user in self.users if user.works_here]
        return email
