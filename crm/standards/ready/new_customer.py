"""Welcoming somebody new."""

from __future__ import annotations

from crm.models import Step
from crm.standards.content import Content, StepContent

HOUR, DAY = 60, 24 * 60
P, Done = Step.FiveP, Step.DoneWhen

NEW_CUSTOMER = Content(
    names={"en": "New customer", "ru": "Новый клиент", "zh-hans": "新客户"},
    purposes={
        "en": "The first month decides whether somebody comes back. Nobody new is forgotten, and "
        "everybody hears from us because we care how it went, not because we want to sell.",
        "ru": "Первый месяц решает, вернётся ли человек. Ни один новый клиент не забыт, и каждому "
        "мы звоним, потому что нам важно, как всё прошло, а не чтобы продать ещё.",
        "zh-hans": "第一个月决定客户会不会再来。不遗漏任何一位新客户；"
        "我们主动联系，是因为关心使用体验，而不是为了推销。",
    },
    trigger="customer.recorded",
    steps=(
        StepContent(
            titles={
                "en": "Check name, contact details and consent",
                "ru": "Проверьте имя, контакты и согласие",
                "zh-hans": "核对姓名、联系方式和授权",
            },
            guidance={
                "en": "Is the name spelt as they say it? Phone or email without a typo? Which "
                "language do they like? Ask whether we may write to them, and take the answer "
                "down. A no is fine.",
                "ru": "Имя записано так, как человек его называет? Телефон и почта без ошибок? На "
                "каком языке удобнее? Спросите, можно ли писать, и отметьте ответ. Отказ тоже "
                "ответ.",
                "zh-hans": "姓名写法是否正确？电话或邮箱有没有写错？客户习惯用哪种语言？"
                "询问是否可以给客户发消息，并如实记录。客户拒绝也没关系。",
            },
            five_p=P.POLICIES,
            offset_minutes=4 * HOUR,
        ),
        StepContent(
            titles={
                "en": "Thank them and say who you are",
                "ru": "Поблагодарите и представьтесь",
                "zh-hans": "致谢并介绍自己",
            },
            guidance={
                "en": "Call, write, or say it at the counter. Your name, a thank-you, and whom to "
                "ask if something is not right. Two minutes, nothing to sell. Log the contact.",
                "ru": "Позвоните, напишите или скажите лично. Ваше имя, спасибо и к кому "
                "обратиться, "
                "если что-то не так. Две минуты, без продаж. Запишите обращение.",
                "zh-hans": "打电话、发消息或当面说：您的姓名、一声感谢、有问题找谁。"
                "两分钟即可，不推销。请记录这次沟通。",
            },
            five_p=P.PEOPLE,
            offset_minutes=DAY,
            done_when=Done.CONTACT,
        ),
        StepContent(
            titles={
                "en": "Note what they need",
                "ru": "Запишите, что нужно клиенту",
                "zh-hans": "记录客户的需求",
            },
            guidance={
                "en": "Why did they come to us, what do they use it for, what matters to them? One "
                "or two sentences in their own words help the next colleague.",
                "ru": "Почему пришли к нам, для чего покупают, что для них важно? Одна-две фразы "
                "их "
                "словами помогут коллеге в следующий раз.",
                "zh-hans": "为什么选择我们？买来做什么？最看重什么？用客户的原话写一两句，"
                "方便下一位同事。",
            },
            offset_minutes=3 * DAY,
            done_when=Done.NOTE,
        ),
        StepContent(
            titles={
                "en": "Show them round",
                "ru": "Покажите, что у нас где",
                "zh-hans": "带客户熟悉环境",
            },
            guidance={
                "en": "Where to park, where to collect, when it is quiet, how to return something. "
                "Online: where the order stands and how to reach a human.",
                "ru": "Где парковаться, где выдача, когда мало людей, как вернуть товар. Онлайн: "
                "где "
                "видно заказ и как связаться с живым человеком.",
                "zh-hans": "停车、取货、人少的时段、退换方法。线上客户：在哪里查看订单、"
                "如何联系到真人。",
            },
            five_p=P.PREMISES,
            is_required=False,
            offset_minutes=7 * DAY,
        ),
        StepContent(
            titles={
                "en": "Ask how the first purchase is doing",
                "ru": "Спросите, как служит первая покупка",
                "zh-hans": "回访首次购买的使用情况",
            },
            guidance={
                "en": "Does it work, does it fit, is anything missing? If something is wrong, say "
                "sorry and log a complaint at once: that starts its own standard.",
                "ru": "Всё работает, подошло, чего-то не хватает? Если что-то не так, извинитесь и "
                "сразу заведите жалобу: для неё есть свой стандарт.",
                "zh-hans": "好用吗？合适吗？还缺什么？如有问题，先道歉并立即登记投诉，"
                "投诉有专门的服务规范。",
            },
            five_p=P.PRODUCT,
            offset_minutes=14 * DAY,
            done_when=Done.CONTACT,
        ),
        StepContent(
            titles={
                "en": "Suggest what fits next",
                "ru": "Предложите то, что подойдёт дальше",
                "zh-hans": "推荐合适的下一步",
            },
            guidance={
                "en": "One thing that follows from what they told you, with the reason. If nothing "
                "fits, skip this step and say so: no offer is better than a wrong one.",
                "ru": "Одно предложение, которое следует из их слов, и почему. Ничего не "
                "подходит — "
                "пропустите шаг и объясните: лучше никакого предложения, чем неподходящее.",
                "zh-hans": "根据客户所说推荐一样，并说明理由。没有合适的就跳过此步并写明原因："
                "宁可不推荐，也不乱推荐。",
            },
            five_p=P.PRODUCT,
            is_required=False,
            offset_minutes=21 * DAY,
            done_when=Done.OFFER,
        ),
        StepContent(
            titles={
                "en": "Say who looks after them from now on",
                "ru": "Решите, кто ведёт клиента дальше",
                "zh-hans": "确定今后由谁负责",
            },
            guidance={
                "en": "Write down the colleague's name, and how often this customer wants to hear "
                "from us.",
                "ru": "Запишите имя коллеги и как часто клиент хочет нас слышать.",
                "zh-hans": "写下负责同事的姓名，以及客户希望多久联系一次。",
            },
            five_p=P.PEOPLE,
            offset_minutes=28 * DAY,
            done_when=Done.WRITTEN,
        ),
    ),
)
