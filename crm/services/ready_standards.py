"""Putting the standards that come with the product in force."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from crm.models import Playbook
from crm.services.playbooks import create_playbook, publish_playbook
from crm.standards.ready import READY


@transaction.atomic
def install_ready_standards(*, happened_at: datetime, actor: str) -> list[Playbook]:
    """Publish the ready standards and return those that were not there yet.

    One that is there already, under its key, stays as it is, changed or not.
    """
    known = set(Playbook.objects.filter(key__in=READY).values_list("key", flat=True))
    installed = []
    for key, content in READY.items():
        if key in known:
            continue
        playbook = create_playbook(content=content, key=key, happened_at=happened_at, actor=actor)
        publish_playbook(playbook_id=playbook.pk, happened_at=happened_at, actor=actor)
        installed.append(playbook)
    return installed
