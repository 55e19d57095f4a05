from django.db import migrations, models

import common.refs


class Migration(migrations.Migration):
    dependencies = [
        ("crm", "0005_contact_log"),
    ]

    operations = [
        migrations.AddField(
            model_name="businesscalendar",
            name="ref",
            field=models.CharField(default=common.refs.new_ref, max_length=16, unique=True),
        ),
    ]
