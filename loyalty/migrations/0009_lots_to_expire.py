"""The sweep finds expired lots without looking through all of them."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("loyalty", "0008_what_was_promised"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="pointslot",
            index=models.Index(
                condition=models.Q(("expires_at__isnull", False), ("remaining__gt", 0)),
                fields=["expires_at", "id"],
                name="lot_to_expire",
            ),
        ),
    ]
