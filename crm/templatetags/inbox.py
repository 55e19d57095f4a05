"""``{{ 5400|lasting }}`` → ``1 h 30 min``: a span of business time, as people say it."""

from __future__ import annotations

from django import template
from django.utils.translation import gettext as _

from common.display import NO_DATA

register = template.Library()


@register.filter
def lasting(seconds: int | None) -> str:
    """Return a span in its two largest units; a dash without one."""
    if seconds is None:
        return NO_DATA
    minutes = seconds // 60
    hours = minutes // 60
    if hours:
        return _("%(hours)s h %(minutes)s min") % {"hours": hours, "minutes": minutes % 60}
    if minutes:
        return _("%(minutes)s min") % {"minutes": minutes}
    return _("%(seconds)s s") % {"seconds": seconds}
