"""Keyed hashes of addresses: comparable without keeping the address itself."""

from __future__ import annotations

import hashlib
import hmac

from django.conf import settings
from django.utils.encoding import force_bytes


def address_hash(address: str) -> str:
    """Return the hash under which an address is suppressed; case and blanks don't matter."""
    return _digest(address, settings.SECRET_KEY)


def address_hashes(address: str) -> list[str]:
    """Return the hashes under the present secret key and the former ones, present first."""
    return [_digest(address, key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]


def _digest(address: str, key: str | bytes) -> str:
    text = "mailing.address:" + address.strip().casefold()
    return hmac.new(force_bytes(key), text.encode(), hashlib.sha256).hexdigest()
