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

# What colleagues write while they follow a standard.
IN_STANDARDS: dict[str, dict[str, str]] = {
    "contact": {
        "en": "Called, had two minutes, all is well.",
        "ru": "Позвонили, поговорили две минуты, всё хорошо.",
        "zh-hans": "已打电话，简短沟通，一切顺利。",
    },
    "note": {
        "en": "Buys for a family of four, quality before price.",
        "ru": "Покупает на семью из четырёх человек, качество важнее цены.",
        "zh-hans": "为四口之家采购，看重质量胜过价格。",
    },
    "task": {
        "en": "Call and ask whether it is better now",
        "ru": "Позвонить и спросить, стало ли лучше",
        "zh-hans": "回访，询问情况是否改善",
    },
    "offer": {
        "en": "A smaller package at the same price per piece",
        "ru": "Меньшая упаковка по той же цене за штуку",
        "zh-hans": "单价不变的小包装",
    },
    "written": {
        "en": "Agreed on the phone; the colleague at the counter knows.",
        "ru": "Договорились по телефону, коллега в магазине в курсе.",
        "zh-hans": "已电话确认，店内同事知悉。",
    },
    "skipped": {
        "en": "Nothing fits at present.",
        "ru": "Сейчас ничего не подходит.",
        "zh-hans": "目前没有合适的。",
    },
    "given_up": {
        "en": "Started twice for the same person.",
        "ru": "Начато дважды для одного и того же человека.",
        "zh-hans": "同一客户重复启动。",
    },
}
