"""A customer together with what they agreed to, as forms and the API send it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.services import change_language
from common.errors import InvalidInput
from crm.models import Customer
from crm.selectors.consent import consents_of
from crm.services.consent import record_consent
from crm.services.custom_fields import set_custom_values
from crm.services.customers import record_customer, update_customer


@transaction.atomic
def record_profile(
    *,
    happened_at: datetime,
    actor: str,
    consents: Mapping[str, bool],
    consent_source: str,
    custom: Mapping[str, object] | None = None,
    **fields: Any,
) -> Customer:
    """Return a new customer with their consents. consents: purpose → given or refused.

    custom: key → value of fields of the business's own.

    consent_source: who took the consent down, such as ``staff`` or ``api``.

    :raises ExternalIdTaken: another customer has the external id; nothing is written.
    :raises ValidationError: a value can't be used; nothing is written.
    """
    customer = record_customer(happened_at=happened_at, actor=actor, **fields)
    set_custom_values(
        customer_id=customer.pk, values=custom or {}, happened_at=happened_at, actor=actor
    )
    for purpose, is_granted in sorted(consents.items()):
        record_consent(
            customer_id=customer.pk,
            purpose=purpose,
            is_granted=is_granted,
            happened_at=happened_at,
            actor=actor,
            source=consent_source,
        )
    return customer


@transaction.atomic
def update_profile(
    *,
    customer_id: int,
    happened_at: datetime,
    actor: str,
    consents: Mapping[str, bool],
    consent_source: str,
    custom: Mapping[str, object] | None = None,
    **changes: Any,
) -> Customer:
    """Change a customer and record those consents that differ from the ones in force.

    custom: key → value of fields of the business's own; keys that are not named stay.

    :raises ExternalIdTaken: another customer has the external id; nothing is written.
    """
    customer = update_customer(
        customer_id=customer_id, happened_at=happened_at, actor=actor, **changes
    )
    set_custom_values(
        customer_id=customer_id, values=custom or {}, happened_at=happened_at, actor=actor
    )
    in_force = consents_of(customer_id) if consents else {}
    for purpose, is_granted in sorted(consents.items()):
        if purpose in in_force and in_force[purpose].is_granted == is_granted:
            continue
        record_consent(
            customer_id=customer_id,
            purpose=purpose,
            is_granted=is_granted,
            happened_at=happened_at,
            actor=actor,
            source=consent_source,
        )
    return customer


@transaction.atomic
def choose_language(
    *, customer_id: int, user_id: int, language: str, happened_at: datetime, actor: str
) -> None:
    """Show the portal to, and write to, a customer in the language they chose.

    :raises InvalidInput: not one of the product's languages; nothing is written.
    """
    if language not in dict(settings.LANGUAGES):
        raise InvalidInput(fields={"language": [str(_("There is no such language here."))]})
    update_customer(
        customer_id=customer_id, happened_at=happened_at, actor=actor, language=language
    )
    change_language(user_id=user_id, language=language)
