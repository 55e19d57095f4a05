import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("crm", "0018_import_ranges"),
    ]

    operations = [
        migrations.CreateModel(
            name="Lead",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("source", models.CharField(blank=True, max_length=120, verbose_name="source")),
                ("actor", models.CharField(max_length=64)),
                ("enquired_at", models.DateTimeField(verbose_name="enquired")),
                ("recorded_at", models.DateTimeField()),
                (
                    "customer",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="leads",
                        to="crm.customer",
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="crm.product",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["enquired_at", "id"], name="lead_by_time"),
                    models.Index(fields=["recorded_at", "id"], name="lead_recorded"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("customer", "enquired_at", "product"), name="lead_once"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("product__isnull", True)),
                        fields=("customer", "enquired_at"),
                        name="lead_without_product_once",
                    ),
                ],
            },
        ),
    ]
