"""The words people agree to. A wording never changes: another one is another version.

So a consent proves what was said: it names the version and the language it was read in, as
``2026-11/ru``. Not part of the translations, which may be mended at any time.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _


class ConsentChannel(models.TextChoices):
    """How somebody may be reached; consent is given for each by itself."""

    EMAIL = "email", _("Email")
    PHONE = "phone", _("Phone")
    SMS = "sms", _("Text message")
    MESSENGER = "messenger", _("Messenger")


CURRENT = "2026-11"
# version → purpose → language → words; ``{channel}`` is how we reach the person.
WORDINGS: dict[str, dict[str, dict[str, str]]] = {
    "2026-11": {
        "marketing": {
            "en": (
                "I agree to be sent offers and news {channel}. I can withdraw this at any time, "
                "as easily as I gave it."
            ),
            "ru": (
                "Я согласен(на) получать предложения и новости {channel}. Согласие можно отозвать "
                "в любой момент так же просто, как оно дано."
            ),
            "zh-hans": "我同意{channel}接收优惠和资讯。我可以随时撤回同意，与给予同意一样简单。",
        },
        "surveys": {
            "en": (
                "I agree to be asked about my purchases {channel}. I can withdraw this at any "
                "time, as easily as I gave it."
            ),
            "ru": (
                "Я согласен(на) отвечать на вопросы о моих покупках {channel}. Согласие можно "
                "отозвать в любой момент так же просто, как оно дано."
            ),
            "zh-hans": (
                "我同意{channel}接受有关我的购买的询问。我可以随时撤回同意，与给予同意一样简单。"
            ),
        },
    },
}
# version → channel → language → how the wording names it
CHANNEL_WORDS: dict[str, dict[str, dict[str, str]]] = {
    "2026-11": {
        "email": {"en": "by email", "ru": "по электронной почте", "zh-hans": "通过电子邮件"},
        "phone": {"en": "by phone", "ru": "по телефону", "zh-hans": "通过电话"},
        "sms": {"en": "by text message", "ru": "в СМС", "zh-hans": "通过短信"},
        "messenger": {"en": "by messenger", "ru": "в мессенджере", "zh-hans": "通过即时通讯"},
    },
}


def current_version(language: str = "") -> str:
    """Return the version that is shown now, with the language it is read in."""
    return f"{CURRENT}/{_known(language or get_language() or '')}"


def wording(purpose: str, channel: str, version: str = "") -> str:
    """Return the words of a version, now's by default; empty for one that is not known."""
    number, _slash, language = (version or current_version()).partition("/")
    words = WORDINGS.get(number, {}).get(purpose, {}).get(_known(language), "")
    where = CHANNEL_WORDS.get(number, {}).get(channel, {}).get(_known(language), "")
    return words.format(channel=where) if words and where else ""


def _known(language: str) -> str:
    return language if language in ("en", "ru", "zh-hans") else "en"
