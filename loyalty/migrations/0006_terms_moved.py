from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ("loyalty", "0005_carry_over"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='programme',
            name='programme_point_value_not_negative',
        ),
        migrations.RemoveConstraint(
            model_name='programme',
            name='programme_validity_positive',
        ),
        migrations.RemoveField(
            model_name='programme',
            name='pending_days',
        ),
        migrations.RemoveField(
            model_name='programme',
            name='point_value',
        ),
        migrations.RemoveField(
            model_name='programme',
            name='validity_days',
        ),
    ]
