"""Writes of the accounts app: users and API keys. Each leaves an event in the audit trail."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.models import ApiKey, Role, User
from common.errors import Conflict, InvalidInput, NotFound
from common.services import SYSTEM, record_event
from common.validators import clean_email, clean_line

KEY_PREFIX = "kw_"


class EmailTaken(Conflict):
    """Somebody signs in with this address already."""

    code = "email_taken"
    message = _("Somebody signs in with this address already.")


class LastAdmin(Conflict):
    """The last admin can't stop being one."""

    code = "last_admin"
    message = _("Somebody must stay who administers the system.")


def digest_key(secret: str) -> str:
    """Return the digest under which an API key is stored. Keys are random, so no salt is due."""
    return hashlib.sha256(secret.encode()).hexdigest()


@transaction.atomic
def create_user(
    *, email: str, role: Role, name: str = "", password: str | None = None, actor: str = SYSTEM
) -> User:
    """Return a new user.

    password: checked against the validators; with None, one must be set through the reset mail.

    :raises EmailTaken: the address is in use; nothing is written.
    :raises ValidationError: address or password can't be used.
    """
    email = clean_email(email)
    if User.objects.filter(email=email).exists():
        raise EmailTaken(fields={"email": [str(EmailTaken.message)]})
    name = clean_line(name) if name else ""
    if password is not None:
        validate_password(password, User(email=email, name=name))
    user = User.objects.create_user(email, password, role=role, name=name)
    _record("user.created", user, user.date_joined, actor, role=str(role))
    return user


@transaction.atomic
def change_user(
    *, user_id: int, role: Role, is_active: bool, happened_at: datetime, actor: str
) -> User:
    """Give a user another role, or close or reopen the account, and return the user.

    :raises LastAdmin: nobody else is an active admin; nothing is written.
    """
    user = User.objects.select_for_update().get(pk=user_id)
    admins = User.objects.filter(role=Role.ADMIN, is_active=True)
    stays = role == Role.ADMIN and is_active
    if user.is_staff and not stays and not admins.exclude(pk=user.pk).exists():
        raise LastAdmin
    if (user.role, user.is_active) == (role, is_active):
        return user
    user.role, user.is_active = role, is_active
    user.save(update_fields=["role", "is_active"])
    _record("user.changed", user, happened_at, actor, role=str(role), is_active=is_active)
    return user


@transaction.atomic
def reset_second_factor(*, user_id: int, happened_at: datetime, actor: str) -> None:
    """Forget the second factor of somebody who lost it; a new one is set up at the next sign-in."""
    user = User.objects.select_for_update().get(pk=user_id)
    if Authenticator.objects.filter(user=user).delete()[0]:
        _record("user.second_factor_reset", user, happened_at, actor)


def change_language(*, user_id: int, language: str) -> None:
    """Remember the language a user wants; a code of ``settings.LANGUAGES`` or empty.

    :raises InvalidInput: no such language.
    """
    if language and language not in dict(settings.LANGUAGES):
        raise InvalidInput(fields={"language": [str(_("This language is not available."))]})
    User.objects.filter(pk=user_id).update(language=language)


@transaction.atomic
def erase_user(*, user_id: int, happened_at: datetime, actor: str) -> None:
    """Close a user's account for good and forget who it was; the row stays for the audit trail."""
    user = User.objects.select_for_update().get(pk=user_id)
    AccessAttempt.objects.filter(username=user.email).delete()
    EmailAddress.objects.filter(user=user).delete()
    Authenticator.objects.filter(user=user).delete()
    user.email, user.name, user.language = f"{user.pk}@erased.invalid", "", ""
    user.is_active = False
    user.set_unusable_password()  # sessions end with it
    user.save()
    _record("user.erased", user, happened_at, actor)


def _record(kind: str, user: User, occurred_at: datetime, actor: str, **codes: object) -> None:
    record_event(
        kind=kind,
        subject_kind="user",
        subject_ref=str(user.pk),
        occurred_at=occurred_at,
        actor=actor,
        codes=codes,
    )


@transaction.atomic
def create_api_key(
    *, name: str, role: Role, created_at: datetime, actor: str = SYSTEM
) -> tuple[ApiKey, str]:
    """Return a new key and its secret, which can never be read again."""
    secret = KEY_PREFIX + secrets.token_urlsafe(32)
    key = ApiKey.objects.create(
        name=clean_line(name, max_length=100),
        role=role,
        prefix=secret[:8],
        digest=digest_key(secret),
        created_at=created_at,
    )
    _record_key("api_key.created", key, created_at, actor)
    return key, secret


@transaction.atomic
def revoke_api_key(*, key_id: int, happened_at: datetime, actor: str) -> ApiKey:
    """End a key at once and return it; a key that ended before stays as it is.

    :raises NotFound: no such key.
    """
    key = ApiKey.objects.select_for_update().filter(pk=key_id).first()
    if key is None:
        raise NotFound
    if key.revoked_at is None:
        key.revoked_at = happened_at
        key.save(update_fields=["revoked_at"])
        _record_key("api_key.revoked", key, happened_at, actor)
    return key


def _record_key(kind: str, key: ApiKey, occurred_at: datetime, actor: str) -> None:
    record_event(
        kind=kind,
        subject_kind="api_key",
        subject_ref=str(key.pk),
        occurred_at=occurred_at,
        actor=actor,
        codes={"role": key.role},
    )
