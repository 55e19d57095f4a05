from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("metrics", "0004_targets"),
    ]

    operations = [
        migrations.CreateModel(
            name="HandlingRule",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "subject",
                    models.CharField(
                        choices=[("unprofitable", "Long-standing but unprofitable")],
                        max_length=20,
                        unique=True,
                    ),
                ),
                ("text", models.TextField()),
                ("task_title", models.CharField(max_length=200)),
                ("due_days", models.PositiveSmallIntegerField()),
            ],
        ),
    ]
