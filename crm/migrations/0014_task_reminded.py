from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("crm", "0013_fill_customer_figures"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                condition=models.Q(("reminded_at__isnull", False), ("status", "open")),
                fields=["reminded_at", "id"],
                name="task_reminded",
            ),
        ),
    ]
