"""How allauth is bent to this product's rules."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from allauth.account import app_settings as account_settings
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.authentication import get_authentication_records
from allauth.core import context as allauth_context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core.mail import EmailMessage
from django.http import HttpRequest
from django.utils import translation

from accounts.models import User
from common.requests import client_ip

logger = structlog.get_logger(__name__)
# Threads start with the first mail, so a forking web server shares none.
_posting = ThreadPoolExecutor(max_workers=4, thread_name_prefix="sign-in-mail")


class SignInAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """No sign-up; mail in the user's language; one notion of the client's address."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Customers come in through purchases, colleagues through ``create_user``."""
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address that limits are counted against."""
        return client_ip(request)

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Whether to ask for the password again; not within minutes of signing in."""
        request = allauth_context.request
        records = get_authentication_records(request, request.user)
        if records and time.time() - records[-1]["at"] < account_settings.REAUTHENTICATION_TIMEOUT:
            return False
        return bool(super().is_reauthentication_required(app=app, **kwargs))

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send at once, outside the message table, in the language of whoever has the address.

        The sending itself runs beside the request: the answer neither waits for the mail server
        nor fails with it, so it does not tell whether there was anybody to write to.
        """
        request = allauth_context.request
        # Allauth's templates name the site by its host; people know it by its name.
        site = {"name": settings.SITE_NAME, "domain": request.get_host()}
        context = {"request": request, "email": email, "current_site": site} | context
        user = User.objects.filter(email__iexact=email).only("language").first()
        language = (user and user.language) or translation.get_language()
        with translation.override(language):
            message = self.render_mail(template_prefix, email, context)
        if settings.SIGN_IN_MAIL_IN_BACKGROUND:
            _posting.submit(_post, message)
        else:
            _post(message)


def _post(message: EmailMessage) -> None:
    try:
        message.send()
    except Exception:
        logger.exception("sign_in_mail_failed")


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Second factors of the business's people."""

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        """Whoever must have a second factor can't drop it."""
        return not settings.REQUIRE_STAFF_TOTP
