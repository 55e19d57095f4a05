"""When a customer wants to leave."""

from __future__ import annotations

from accounts.models import Role
from crm.models import Step
from crm.standards.content import Content, StepContent

HOUR, DAY = 60, 24 * 60
P, Done = Step.FiveP, Step.DoneWhen

WANTS_TO_LEAVE = Content(
    names={"en": "Wants to leave", "ru": "Хочет уйти", "zh-hans": "客户想离开"},
    purposes={
        "en": "Understand before you offer, offer what answers the reason, and let people go as "
        "easily as they came: who leaves well comes back.",
        "ru": "Сначала поймите, потом предлагайте то, что отвечает на причину, и отпускайте так же "
        "легко, как принимали: кто ушёл по-доброму, тот вернётся.",
        "zh-hans": "先了解原因，再针对原因提出建议；让客户走得像来时一样轻松。好聚好散，才会再来。",
    },
    trigger="cancel_request.opened",
    steps=(
        StepContent(
            titles={
                "en": "Read their history before you call",
                "ru": "Прочтите историю перед звонком",
                "zh-hans": "联系前先看客户历史",
            },
            guidance={
                "en": "What did they buy, how long have they been with us, is a complaint open, "
                "what did we promise? Never make somebody tell their story twice.",
                "ru": "Что покупали, как давно с нами, есть ли открытая жалоба, что мы обещали? Не "
                "заставляйте рассказывать всё заново.",
                "zh-hans": "买过什么？合作多久？是否有未结投诉？我们承诺过什么？"
                "不要让客户把事情讲两遍。",
            },
            five_p=P.POLICIES,
            offset_minutes=2 * HOUR,
        ),
        StepContent(
            titles={
                "en": "Talk to them in person",
                "ru": "Поговорите лично",
                "zh-hans": "亲自与客户沟通",
            },
            guidance={
                "en": "Thank them for their time with us and ask what made them decide. Listen; do "
                "not argue and do not offer anything yet. Log the contact.",
                "ru": "Поблагодарите за время с нами и спросите, что привело к решению. "
                "Слушайте, не "
                "спорьте и пока ничего не предлагайте. Запишите обращение.",
                "zh-hans": "感谢客户一直以来的支持，询问决定的原因。倾听，不争辩，"
                "先不提任何优惠。请记录沟通。",
            },
            five_p=P.PEOPLE,
            offset_minutes=4 * HOUR,
            done_when=Done.CONTACT,
        ),
        StepContent(
            titles={
                "en": "Note the reason in their words",
                "ru": "Запишите причину их словами",
                "zh-hans": "用原话记录原因",
            },
            guidance={
                "en": "The real reason often comes second. “Too expensive” may mean “not worth it "
                "to me”: ask what was missing.",
                "ru": "Настоящая причина часто звучит второй. «Дорого» может значить «не стоит "
                "того "
                "для меня»: спросите, чего не хватило.",
                "zh-hans": "真正的原因常常第二个才说出来。“太贵”可能是“不值”：问问缺了什么。",
            },
            offset_minutes=DAY,
            done_when=Done.NOTE,
        ),
        StepContent(
            titles={
                "en": "Offer what answers the reason",
                "ru": "Предложите то, что отвечает на причину",
                "zh-hans": "针对原因提出建议",
            },
            guidance={
                "en": "A pause, a smaller package, another product, help with setting up, a "
                "repair. "
                "A discount only if the price is the reason. One offer, no pressure.",
                "ru": "Пауза, меньший пакет, другой товар, помощь с настройкой, ремонт. Скидка — "
                "только если дело в цене. Одно предложение, без давления.",
                "zh-hans": "暂停、更小的套餐、换一款产品、协助设置、维修。"
                "只有原因是价格时才给折扣。只提一次，不施压。",
            },
            five_p=P.PRODUCT,
            offset_minutes=2 * DAY,
            done_when=Done.OFFER,
        ),
        StepContent(
            titles={
                "en": "Confirm what they decided",
                "ru": "Подтвердите решение клиента",
                "zh-hans": "确认客户的决定",
            },
            guidance={
                "en": "Staying: what changes, from when. Leaving: done today, in writing, no "
                "hurdles, "
                "points and refunds settled, and a thank-you. Write down which.",
                "ru": "Остаётся: что и с какого дня меняется. Уходит: сегодня, письменно, без "
                "препятствий, с расчётом по баллам и возвратам и с благодарностью. Запишите, что "
                "решили.",
                "zh-hans": "留下：说明有何变化、何时生效。离开：当天书面办妥，不设障碍，"
                "结清积分和退款，并致谢。请写明结果。",
            },
            five_p=P.POLICIES,
            offset_minutes=5 * DAY,
            done_when=Done.WRITTEN,
        ),
        StepContent(
            titles={
                "en": "Set a task to get in touch again",
                "ru": "Поставьте задачу связаться снова",
                "zh-hans": "安排下次联系的任务",
            },
            guidance={
                "en": "Who stayed: in a month, is it better now? Who left: in three months, only "
                "if "
                "they agreed that we may.",
                "ru": "Кто остался: через месяц — стало лучше? Кто ушёл: через три месяца и только "
                "с его согласия.",
                "zh-hans": "留下的客户：一个月后回访是否改善。离开的客户：三个月后，"
                "且仅在其同意的情况下。",
            },
            is_required=False,
            offset_minutes=7 * DAY,
            done_when=Done.TASK,
        ),
        StepContent(
            titles={
                "en": "Say what we should have done",
                "ru": "Решите, что мы могли сделать иначе",
                "zh-hans": "总结我们本可以做得更好的地方",
            },
            guidance={
                "en": "Our place, people, rules, work or product: what would have kept them? If it "
                "was nothing of ours, skip and say so.",
                "ru": "Место, люди, правила, порядок или товар: что удержало бы клиента? Если дело "
                "не в нас, пропустите и объясните.",
                "zh-hans": "场所、人员、规定、流程或产品：怎样做本可以留住客户？"
                "若与我们无关，跳过并说明。",
            },
            five_p=P.PREMISES,
            role=Role.MANAGER,
            is_required=False,
            offset_minutes=14 * DAY,
            done_when=Done.WRITTEN,
        ),
    ),
)
