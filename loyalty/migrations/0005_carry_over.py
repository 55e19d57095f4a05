"""Terms of a programme become versions of their own; what was earned says by which rule."""

from django.db import migrations
from django.db.models import F


def carry_over(apps, schema_editor):
    Programme = apps.get_model("loyalty", "Programme")
    TermsVersion = apps.get_model("loyalty", "TermsVersion")
    for programme in Programme.objects.all():
        TermsVersion.objects.create(
            programme=programme,
            number=1,
            valid_from=programme.starts_at,
            pending_days=programme.pending_days,
            point_value=programme.point_value,
            point_cost=programme.point_value,
            expiry="days" if programme.validity_days else "never",
            expiry_count=programme.validity_days,
            actor="system",
            recorded_at=programme.recorded_at,
        )
    PointsTransaction = apps.get_model("loyalty", "PointsTransaction")
    EarnedLine = apps.get_model("loyalty", "EarnedLine")
    earned = PointsTransaction.objects.filter(
        kind="earn", rule_version__isnull=False, order__isnull=False, points__gt=0
    ).annotate(base=F("order__amount"))
    lines = (
        EarnedLine(
            transaction_id=one.pk,
            rule_version_id=one.rule_version_id,
            source=f"order:{one.order_id}",
            base=one.base,
            points=one.points,
        )
        for one in earned.iterator(chunk_size=2000)
    )
    EarnedLine.objects.bulk_create(lines, batch_size=2000)


class Migration(migrations.Migration):

    dependencies = [
        ("loyalty", "0004_programme_in_full"),
    ]

    operations = [
        migrations.RunPython(carry_over, migrations.RunPython.noop),
    ]
