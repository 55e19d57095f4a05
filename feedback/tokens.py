"""Survey links: derived from the invitation, so they can be rendered again and never guessed."""

from __future__ import annotations

from django.core import signing
from django.utils.crypto import constant_time_compare, salted_hmac

from common.errors import NotFound
from feedback.models import Invitation

SALT = "feedback.invitation"
NONCE_SALT = "feedback.survey.form"
NONCE_SECONDS = 7 * 24 * 3600
SIGNATURE_LENGTH = 32


def invitation_token(invitation: Invitation) -> str:
    """Return the token in the link of an invitation."""
    return f"{invitation.ref}{_signature(invitation.ref)}"


def get_invitation(token: str) -> Invitation:
    """Return the invitation a token belongs to.

    :raises NotFound: the token was not made by us.
    """
    ref, signature = token[:-SIGNATURE_LENGTH], token[-SIGNATURE_LENGTH:]
    if not token.isascii() or not constant_time_compare(signature, _signature(ref)):
        raise NotFound
    found = (
        Invitation.objects.select_related("survey", "customer")
        .prefetch_related("survey__questions")
        .filter(ref=ref)
        .first()
    )
    if found is None:
        raise NotFound
    return found


def form_nonce(invitation: Invitation) -> str:
    """Return what proves that a submitted form was rendered by us for this invitation."""
    return signing.TimestampSigner(salt=NONCE_SALT).sign(invitation.ref)


def is_form_nonce(nonce: str, invitation: Invitation) -> bool:
    """Whether the nonce was rendered for this invitation within the last week."""
    try:
        ref = signing.TimestampSigner(salt=NONCE_SALT).unsign(nonce, max_age=NONCE_SECONDS)
    except signing.BadSignature:
        return False
    return ref == invitation.ref


def _signature(ref: str) -> str:
    return salted_hmac(SALT, ref, algorithm="sha256").hexdigest()[:SIGNATURE_LENGTH]
