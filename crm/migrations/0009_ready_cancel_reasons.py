"""The ready list of reasons for leaving; a business changes and adds to it as it likes."""

from django.db import migrations

READY = (
    ("price", "Too expensive", "Слишком дорого", "价格太高"),
    ("quality", "Not happy with the product", "Не устроил товар", "对产品不满意"),
    ("service", "Not happy with the service", "Не устроило обслуживание", "对服务不满意"),
    ("no_need", "No longer needed", "Больше не нужно", "不再需要"),
    ("competitor", "Went to somebody else", "Выбрали другую компанию", "选择了其他商家"),
    ("too_far", "Moved away, or too far", "Переезд или слишком далеко", "搬家或距离太远"),
    ("too_often", "Contacted too often", "Слишком частые сообщения", "联系过于频繁"),
    ("other", "Another reason", "Другая причина", "其他原因"),
)


def install(apps, schema_editor):
    reasons = apps.get_model("crm", "CancelReason")
    for position, (code, english, russian, chinese) in enumerate(READY, start=1):
        names = {"en": english, "ru": russian, "zh-hans": chinese}
        reasons.objects.get_or_create(
            code=code, defaults={"names": names, "position": position * 10}
        )


class Migration(migrations.Migration):
    dependencies = [
        ("crm", "0008_commerce"),
    ]

    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
