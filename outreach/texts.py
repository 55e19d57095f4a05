"""The words of the follow-up after a delivery, as delivered; businesses may change them."""

from __future__ import annotations

FOLLOW_UP_KEY = "follow_up_nps"

FOLLOW_UP_TEXTS = {
    "en": (
        "How was your purchase?",
        """Hello {{name}},

thank you for your purchase of {{order_date}}. Would you recommend us to a friend? It is one \
question and takes less than a minute:

{{survey_url}}

Your answer goes to the people who can change something.

{{organisation}}""",
    ),
    "ru": (
        "Как вам покупка?",
        """Здравствуйте, {{name}}!

Спасибо за покупку ({{order_date}}). Порекомендовали бы вы нас друзьям? Это один вопрос и меньше \
минуты времени:

{{survey_url}}

Ваш ответ увидят те, кто может что-то изменить.

{{organisation}}""",
    ),
    "zh-hans": (
        "您对这次购物满意吗？",
        """{{name}}，您好！

感谢您于 {{order_date}} 的惠顾。您愿意向朋友推荐我们吗？只有一个问题，不到一分钟：

{{survey_url}}

您的回答会直接送达能够作出改进的人。

{{organisation}}""",
    ),
}
