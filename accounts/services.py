"""Writes of the accounts app: users and API keys."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.models import ApiKey, Role, User
from common.errors import Conflict, InvalidInput
from common.validators import clean_email, clean_line

KEY_PREFIX = "kw_"


class EmailTaken(Conflict):
    """Somebody signs in with this address already."""

    code = "email_taken"
    message = _("Somebody signs in with this address already.")


def digest_key(secret: str) -> str:
    """Return the digest under which an API key is stored. Keys are random, so no salt is due."""
    return hashlib.sha256(secret.encode()).hexdigest()


@transaction.atomic
def create_user(*, email: str, role: Role, name: str = "", password: str | None = None) -> User:
    """Return a new user.

    password: checked against the validators; None leaves only the code by email.

    :raises EmailTaken: the address is in use.
    :raises ValidationError: address or password can't be used.
    """
    email = clean_email(email)
    if User.objects.filter(email=email).exists():
        raise EmailTaken
    if password is not None:
        validate_password(password)
    return User.objects.create_user(
        email, password, role=role, name=clean_line(name) if name else ""
    )


def change_language(*, user_id: int, language: str) -> None:
    """Remember the language a user wants; a code of ``settings.LANGUAGES`` or empty.

    :raises InvalidInput: no such language.
    """
    if language and language not in dict(settings.LANGUAGES):
        raise InvalidInput(fields={"language": [str(_("This language is not available."))]})
    User.objects.filter(pk=user_id).update(language=language)


@transaction.atomic
def create_api_key(*, name: str, role: Role, created_at: datetime) -> tuple[ApiKey, str]:
    """Return a new key and its secret, which can never be read again."""
    secret = KEY_PREFIX + secrets.token_urlsafe(32)
    key = ApiKey.objects.create(
        name=clean_line(name, max_length=100),
        role=role,
        prefix=secret[:8],
        digest=digest_key(secret),
        created_at=created_at,
    )
    return key, secret
