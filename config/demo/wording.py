"""Texts of simulated complaints, by category, in the three languages of the product."""

from __future__ import annotations

COMPLAINTS: tuple[tuple[str, dict[str, str]], ...] = (
    (
        "quality",
        {
            "en": "The fruit was spoiled when I opened the bag at home.",
            "ru": "Фрукты оказались испорченными, заметили уже дома.",
            "zh-hans": "回家打开袋子，发现水果已经坏了。",
        },
    ),
    (
        "quality",
        {
            "en": "The milk was past its date.",
            "ru": "У молока истёк срок годности.",
            "zh-hans": "牛奶已经过了保质期。",
        },
    ),
    (
        "service",
        {
            "en": "I waited twenty minutes at the till and nobody said a word.",
            "ru": "Двадцать минут стояли в кассу, и никто ничего не объяснил.",
            "zh-hans": "在收银台等了二十分钟，没有人理会。",
        },
    ),
    (
        "service",
        {
            "en": "Nobody in the shop could tell me where to find what I came for.",
            "ru": "В магазине никто не смог подсказать, где лежит нужный товар.",
            "zh-hans": "店里没有人能告诉我要找的商品在哪里。",
        },
    ),
    (
        "price",
        {
            "en": "The shelf said one price, the receipt another.",
            "ru": "На полке была одна цена, в чеке другая.",
            "zh-hans": "货架上的价格和小票上的不一样。",
        },
    ),
    (
        "price",
        {
            "en": "My coupon was not taken off the bill.",
            "ru": "Скидку по купону не учли в чеке.",
            "zh-hans": "结账时没有扣除我的优惠券。",
        },
    ),
    (
        "delivery",
        {
            "en": "Two of the items I paid for were not in the bag.",
            "ru": "В пакете не оказалось двух оплаченных товаров.",
            "zh-hans": "付了款的商品有两件不在袋子里。",
        },
    ),
    (
        "other",
        {
            "en": "The car park was so icy that I nearly fell.",
            "ru": "На парковке был такой лёд, что я едва не упал.",
            "zh-hans": "停车场结冰，我差点摔倒。",
        },
    ),
)
