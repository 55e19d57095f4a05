"""Words of simulated contacts, notes and tasks, in the three languages of the product."""

from __future__ import annotations

from typing import NamedTuple

Words = dict[str, str]  # language → text


class Turn(NamedTuple):
    """One contact of a talk. minutes: after the one before it."""

    direction: str
    minutes: int
    text: Words


class Talk(NamedTuple):
    """A conversation that customers of a shop have; the first turn is the customer's."""

    channel: str
    subject: Words
    turns: tuple[Turn, ...]


TALKS: tuple[Talk, ...] = (
    Talk(
        "email",
        {"en": "Opening hours", "ru": "Часы работы", "zh-hans": "营业时间"},
        (
            Turn(
                "inbound",
                0,
                {
                    "en": "Are you open on the holiday next week?",
                    "ru": "Вы работаете в праздник на следующей неделе?",
                    "zh-hans": "下周的节假日你们营业吗？",
                },
            ),
            Turn(
                "outbound",
                95,
                {
                    "en": "Yes, from 9 to 18. We look forward to seeing you.",
                    "ru": "Да, с 9 до 18. Будем рады вас видеть.",
                    "zh-hans": "营业，上午9点到下午6点，欢迎光临。",
                },
            ),
        ),
    ),
    Talk(
        "phone",
        {"en": "A missing item", "ru": "Не хватает товара", "zh-hans": "少了一件商品"},
        (
            Turn(
                "inbound",
                0,
                {
                    "en": "One bag of coffee was paid for but is not there.",
                    "ru": "Одну пачку кофе оплатили, но в пакете её нет.",
                    "zh-hans": "付了款的一包咖啡没有在袋子里。",
                },
            ),
            Turn(
                "internal",
                12,
                {
                    "en": "Found at till 3, put aside for pick-up.",
                    "ru": "Нашли на третьей кассе, отложили.",
                    "zh-hans": "在3号收银台找到，已留存待取。",
                },
            ),
            Turn(
                "outbound",
                20,
                {
                    "en": "We have found your coffee and keep it for you at the service desk.",
                    "ru": "Ваш кофе нашёлся, он ждёт вас на стойке обслуживания.",
                    "zh-hans": "您的咖啡找到了，已为您放在服务台。",
                },
            ),
        ),
    ),
    Talk(
        "chat",
        {"en": "Gluten-free bread", "ru": "Хлеб без глютена", "zh-hans": "无麸质面包"},
        (
            Turn(
                "inbound",
                0,
                {
                    "en": "Do you have gluten-free bread today?",
                    "ru": "Есть ли сегодня хлеб без глютена?",
                    "zh-hans": "今天有无麸质面包吗？",
                },
            ),
            Turn(
                "outbound",
                4,
                {
                    "en": "Yes, three kinds, on the shelf beside the bakery.",
                    "ru": "Да, три вида, на полке рядом с пекарней.",
                    "zh-hans": "有，三种，在烘焙区旁边的货架上。",
                },
            ),
        ),
    ),
    Talk(
        "messenger",
        {"en": "Points", "ru": "Баллы", "zh-hans": "积分"},
        (
            Turn(
                "inbound",
                0,
                {
                    "en": "When can I use the points of my last purchase?",
                    "ru": "Когда можно будет потратить баллы за последнюю покупку?",
                    "zh-hans": "上次购物的积分什么时候可以使用？",
                },
            ),
            Turn(
                "outbound",
                33,
                {
                    "en": "As soon as the days for returns are over; your page shows the date.",
                    "ru": "Как только пройдёт срок возврата; дата указана на вашей странице.",
                    "zh-hans": "退货期结束后即可使用，具体日期见您的页面。",
                },
            ),
        ),
    ),
    Talk(
        "in_person",
        {"en": "A birthday cake", "ru": "Торт на день рождения", "zh-hans": "生日蛋糕"},
        (
            Turn(
                "inbound",
                0,
                {
                    "en": "Wants to order a cake for twelve people for Saturday.",
                    "ru": "Хочет заказать торт на двенадцать человек к субботе.",
                    "zh-hans": "想订一个周六用的十二人份蛋糕。",
                },
            ),
        ),
    ),
)

NOTES: tuple[tuple[str, Words], ...] = (
    (
        "need",
        {
            "en": "Shops for two small children, buys baby food every week.",
            "ru": "Двое маленьких детей, каждую неделю берёт детское питание.",
            "zh-hans": "家有两个小孩，每周购买婴儿食品。",
        },
    ),
    (
        "wish",
        {
            "en": "Would like organic vegetables in larger packs.",
            "ru": "Хотел бы овощи без химии в больших упаковках.",
            "zh-hans": "希望有大包装的有机蔬菜。",
        },
    ),
    (
        "problem",
        {
            "en": "Could not find a trolley with a child seat.",
            "ru": "Не нашлось тележки с детским сиденьем.",
            "zh-hans": "找不到带儿童座椅的购物车。",
        },
    ),
    (
        "success",
        {
            "en": "Praised the bakery and recommended it to a neighbour.",
            "ru": "Похвалил пекарню и посоветовал её соседям.",
            "zh-hans": "称赞了烘焙区，并推荐给邻居。",
        },
    ),
    (
        "preference",
        {
            "en": "Prefers to be called after 6 p.m.",
            "ru": "Просит звонить после 18 часов.",
            "zh-hans": "希望在下午6点以后接电话。",
        },
    ),
)

TASKS: tuple[Words, ...] = (
    {
        "en": "Call back about the order",
        "ru": "Перезвонить по поводу заказа",
        "zh-hans": "就订单回电",
    },
    {
        "en": "Send the list of allergens",
        "ru": "Отправить список аллергенов",
        "zh-hans": "发送过敏原清单",
    },
    {
        "en": "Ask how the delivery went",
        "ru": "Спросить, как прошла доставка",
        "zh-hans": "询问送货是否满意",
    },
    {
        "en": "Put the reserved items aside",
        "ru": "Отложить заказанные товары",
        "zh-hans": "留出预订的商品",
    },
)
