"""The sweep finds who joined lately without looking at everybody."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("loyalty", "0010_reports"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="membership",
            index=models.Index(fields=["recorded_at"], name="membership_recorded"),
        ),
    ]
