"""Handling a complaint so that the customer stays."""

from __future__ import annotations

from accounts.models import Role
from crm.models import Step
from crm.standards.content import Content, StepContent

HOUR, DAY = 60, 24 * 60
P, Done = Step.FiveP, Step.DoneWhen

COMPLAINT = Content(
    names={"en": "Complaint", "ru": "Жалоба", "zh-hans": "投诉处理"},
    purposes={
        "en": "Who complains still wants to stay. Answer fast, put it right, ask whether it is "
        "right now, and see that it does not happen twice.",
        "ru": "Кто жалуется, тот ещё хочет остаться. Ответьте быстро, исправьте, спросите, всё ли "
        "теперь хорошо, и сделайте так, чтобы это не повторилось.",
        "zh-hans": "愿意投诉的客户仍想留下。快速回应、解决问题、确认满意，并避免再次发生。",
    },
    trigger="complaint.opened",
    steps=(
        StepContent(
            titles={
                "en": "Say sorry, and when they will hear from us",
                "ru": "Извинитесь и скажите, когда ответим",
                "zh-hans": "致歉并告知答复时间",
            },
            guidance={
                "en": "By the way they complained, best by phone. Listen to the end, do not "
                "explain "
                "or defend. Give a day and your name. Log the contact.",
                "ru": "Тем же способом, лучше по телефону. Дослушайте до конца, не оправдывайтесь. "
                "Назовите день ответа и своё имя. Запишите обращение.",
                "zh-hans": "用客户投诉时的渠道，最好打电话。听完再说，不辩解。"
                "告知答复日期和您的姓名，并记录沟通。",
            },
            five_p=P.PEOPLE,
            offset_minutes=2 * HOUR,
            done_when=Done.CONTACT,
        ),
        StepContent(
            titles={
                "en": "Ask what would make it right",
                "ru": "Спросите, что исправит дело",
                "zh-hans": "询问客户期望的解决办法",
            },
            guidance={
                "en": "Most people want less than we fear. Write down their answer in their words, "
                "and what it costs them that it went wrong.",
                "ru": "Обычно люди хотят меньше, чем мы боимся. Запишите ответ их словами и чего "
                "им "
                "стоила эта ошибка.",
                "zh-hans": "客户的要求往往比我们担心的少。用原话记录，并写明问题给客户带来的损失。",
            },
            offset_minutes=4 * HOUR,
            done_when=Done.WRITTEN,
        ),
        StepContent(
            titles={
                "en": "Find out what happened",
                "ru": "Выясните, что произошло",
                "zh-hans": "查明经过",
            },
            guidance={
                "en": "Look at the goods, the order and the place, ask the colleagues who were "
                "there. Write down what you saw, not whose fault it is.",
                "ru": "Посмотрите товар, заказ и место, спросите коллег, которые там были. "
                "Запишите, "
                "что увидели, а не кто виноват.",
                "zh-hans": "查看商品、订单和现场，询问当时在场的同事。只写看到的事实，"
                "不追究是谁的错。",
            },
            five_p=P.PREMISES,
            offset_minutes=DAY,
            done_when=Done.WRITTEN,
        ),
        StepContent(
            titles={
                "en": "Decide what we do",
                "ru": "Решите, что мы сделаем",
                "zh-hans": "决定处理方案",
            },
            guidance={
                "en": "A manager decides: replace, repair, refund, make up for it. Keep to our "
                "rules, and where they are wrong for this customer, say so and do what is fair.",
                "ru": "Решает руководитель: заменить, починить, вернуть деньги, возместить. По "
                "правилам, а где они несправедливы к этому клиенту — скажите об этом и поступите "
                "по совести.",
                "zh-hans": "由经理决定：换货、维修、退款或补偿。按规定办理；"
                "若规定对该客户不公平，请注明并公正处理。",
            },
            five_p=P.POLICIES,
            role=Role.MANAGER,
            offset_minutes=2 * DAY,
            done_when=Done.WRITTEN,
        ),
        StepContent(
            titles={
                "en": "Offer it to the customer",
                "ru": "Предложите решение клиенту",
                "zh-hans": "向客户提出方案",
            },
            guidance={
                "en": "Say plainly what we do and until when. Record it as an offer, so that the "
                "answer is not lost.",
                "ru": "Скажите прямо, что мы сделаем и к какому сроку. Запишите как предложение, "
                "чтобы ответ не потерялся.",
                "zh-hans": "清楚说明我们做什么、何时完成。请记录为“提议”，以便跟踪客户的答复。",
            },
            five_p=P.PRODUCT,
            offset_minutes=2 * DAY,
            done_when=Done.OFFER,
        ),
        StepContent(
            titles={
                "en": "Do what was promised",
                "ru": "Сделайте обещанное",
                "zh-hans": "兑现承诺",
            },
            guidance={
                "en": "See to it yourself until the customer has it in hand; the promise is yours, "
                "not the warehouse's.",
                "ru": "Проследите сами, пока клиент не получит обещанное: обещали вы, а не склад.",
                "zh-hans": "亲自跟进，直到客户真正拿到结果：承诺是您作出的，不是仓库。",
            },
            offset_minutes=5 * DAY,
        ),
        StepContent(
            titles={
                "en": "Ask whether it is right now",
                "ru": "Спросите, всё ли теперь хорошо",
                "zh-hans": "回访：问题是否解决",
            },
            guidance={
                "en": "A call a few days later. If it is not right, do not close anything: start "
                "again from the second step. Log the contact.",
                "ru": "Звонок через несколько дней. Если не всё хорошо, ничего не закрывайте: "
                "вернитесь ко второму шагу. Запишите обращение.",
                "zh-hans": "几天后打电话。若仍未解决，请勿结案，从第二步重新开始。请记录沟通。",
            },
            five_p=P.PEOPLE,
            offset_minutes=10 * DAY,
            done_when=Done.CONTACT,
        ),
        StepContent(
            titles={
                "en": "Keep it from happening again",
                "ru": "Сделайте так, чтобы не повторилось",
                "zh-hans": "防止再次发生",
            },
            guidance={
                "en": "Which rule, work step, training, place or product led to it? Write down one "
                "change and who makes it. Nothing to change? Skip, and say why.",
                "ru": "Какое правило, порядок, обучение, место или товар к этому привели? Запишите "
                "одно изменение и кто его сделает. Менять нечего — пропустите и объясните.",
                "zh-hans": "是哪条规定、流程、培训、场所或产品造成的？写下一项改进及负责人。"
                "无需改进则跳过并说明原因。",
            },
            role=Role.MANAGER,
            is_required=False,
            offset_minutes=14 * DAY,
            done_when=Done.WRITTEN,
        ),
    ),
)
