"""Totals and consent in force of the customers that are there already."""

from django.conf import settings
from django.db import migrations

FIGURES = """
    INSERT INTO crm_customerfigures (customer_id, orders, revenue, last_order_at, last_seen_at)
    SELECT crm_customer.id, COUNT(crm_order.id),
        COALESCE(SUM(CASE WHEN crm_order.currency = %s THEN crm_order.amount ELSE 0 END), 0),
        MAX(crm_order.ordered_at), MAX(crm_order.ordered_at)
    FROM crm_customer
    LEFT JOIN crm_order ON crm_order.customer_id = crm_customer.id
        AND crm_order.status <> 'cancelled'
    WHERE crm_customer.id NOT IN (SELECT customer_id FROM crm_customerfigures)
    GROUP BY crm_customer.id
"""
CONSENTS = """
    INSERT INTO crm_consentstate (customer_id, purpose, channel, is_granted, since)
    SELECT customer_id, purpose, channel, is_granted, occurred_at FROM (
        SELECT crm_consentevent.*, ROW_NUMBER() OVER (
            PARTITION BY customer_id, purpose, channel ORDER BY occurred_at DESC, id DESC
        ) AS place
        FROM crm_consentevent
    ) AS latest
    WHERE place = 1
    ON CONFLICT DO NOTHING
"""


def fill(apps, schema_editor):
    """One statement each; nobody was merged and nothing was said before these tables were there."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(FIGURES, [settings.KEEPWELL_CURRENCY])
        cursor.execute(CONSENTS)


class Migration(migrations.Migration):

    dependencies = [
        ('crm', '0012_customer_lists'),
    ]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
