from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("metrics", "0003_slices")]

    operations = [
        migrations.CreateModel(
            name="KpiTarget",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=40, unique=True)),
                ("value", models.DecimalField(decimal_places=4, max_digits=18)),
            ],
        ),
    ]
