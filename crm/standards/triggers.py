"""What can start a standard by itself: names that any app registers in ``AppConfig.ready()``.

Whoever sees such a thing happen calls :func:`crm.services.start_runs` with the name.
"""

from __future__ import annotations

from django.utils.functional import Promise

BY_HAND = "manual"
triggers: dict[str, str | Promise] = {}


def register_trigger(name: str, label: str | Promise) -> None:
    """Let managers choose ``name`` as what starts a standard.

    name: dotted code such as ``complaint.opened``.  label: reads after "Starts:".
    """
    triggers[name] = label


def trigger_label(name: str) -> str | Promise:
    """Return what people read for a trigger; the bare name where its app is gone."""
    return triggers.get(name, name)
