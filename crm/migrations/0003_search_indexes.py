"""Indexes for the search on PostgreSQL: beginnings in any collation, and parts of names."""

from django.db import DatabaseError, migrations, models, transaction


def add_trigrams(apps, schema_editor):
    """Index parts of names; where the extension can't be had, the search works without, slower."""
    connection = schema_editor.connection
    if connection.vendor != 'postgresql':
        return
    try:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute('CREATE EXTENSION IF NOT EXISTS pg_trgm')
    except DatabaseError:
        return
    schema_editor.execute(
        'CREATE INDEX search_term_parts ON crm_searchterm USING gin (term gin_trgm_ops) '
        "WHERE kind = 'name'"
    )


def remove_trigrams(apps, schema_editor):
    """The extension stays: others may use it."""
    if schema_editor.connection.vendor == 'postgresql':
        schema_editor.execute('DROP INDEX IF EXISTS search_term_parts')


class Migration(migrations.Migration):

    dependencies = [
        ('crm', '0002_importbatch_applied_through'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='searchterm',
            name='search_term_prefix',
        ),
        migrations.AddIndex(
            model_name='searchterm',
            index=models.Index(
                fields=['term', 'customer'],
                name='search_term_prefix',
                opclasses=['varchar_pattern_ops', 'int8_ops'],
            ),
        ),
        migrations.RunPython(add_trigrams, remove_trigrams),
    ]
