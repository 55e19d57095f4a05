"""API keys: ``Authorization: Bearer <key>``."""

from __future__ import annotations

from datetime import timedelta

from django.utils.translation import gettext_lazy as _
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.models import ApiKey, User
from accounts.services import digest_key
from common.time import now

LAST_USED_STEP = timedelta(minutes=5)  # one write per key and five minutes is exact enough


class ApiKeyAuthentication(BaseAuthentication):
    """Authenticates a program; ``request.auth`` is its :class:`ApiKey`."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        """Return an unsaved user with the key's role, and the key; None without the header."""
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != b"bearer":
            return None
        if len(words) != 2:
            raise AuthenticationFailed(_("Send one key: Authorization: Bearer <key>."))
        key = ApiKey.objects.filter(
            digest=digest_key(words[1].decode("latin-1")), revoked_at__isnull=True
        ).first()
        if key is None:
            raise AuthenticationFailed(_("This API key is unknown or revoked."))
        moment = now()
        if key.last_used_at is None or moment - key.last_used_at > LAST_USED_STEP:
            ApiKey.objects.filter(pk=key.pk).update(last_used_at=moment)
        return User(email="", name=key.name, role=key.role), key

    def authenticate_header(self, request: Request) -> str:
        """Makes a missing key a 401 instead of a 403."""
        return "Bearer"
