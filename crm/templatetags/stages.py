"""``{{ customer.stage|stage_badge }}``: where a customer stands, in a word and a colour."""

from __future__ import annotations

from django import template

from crm.tables import stage_badge

register = template.Library()
register.filter(stage_badge)
