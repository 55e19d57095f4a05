"""What other programs, and people in three languages, call our columns.

Names are written as :func:`plain_name` leaves them: small letters, one blank between words.
"""

from __future__ import annotations

import re
from functools import cache

# Key of each kind of file: the words for an id that stands alone.
ID_NAMES = "id|identifier|number|no|nr|code|key|номер|код|ид|идентификатор|编号|号码|代码"
KEY_NAMES = {
    "customers": "customer id|customer number|customer no|customer code|client id|"
    "client number|contact id|record id|user id|member id|person id|buyer id|id клиента|"
    "код клиента|номер клиента|客户编号|客户id|会员编号|用户id|顾客编号",
    "products": "sku|article|article number|item number|item code|product code|product id|"
    "variant sku|product sku|артикул|код товара|код номенклатуры|商品编号|货号|产品编号|"
    "商品编码",
    "locations": "location code|store code|shop code|branch code|код магазина|код точки|"
    "门店编号|店铺编号",
    "orders": "order id|order number|order no|order|invoice number|invoice|receipt|"
    "receipt number|transaction id|purchase id|номер заказа|заказ|чек|номер чека|id заказа|"
    "订单编号|订单号|订单id|单号",
    "refunds": "refund id|refund number|return id|номер возврата|id возврата|退款编号|退款单号",
    "leads": "lead id|enquiry id|contact id|record id|id лида|номер заявки|线索编号",
    "interactions": "contact id|message id|call id|interaction id|id обращения|联系编号",
    "complaints": "complaint id|complaint number|ticket id|case id|номер жалобы|id жалобы|投诉编号",
    "survey_responses": "response id|answer id|id ответа|答卷编号",
    "cancel_requests": "request id|cancellation id|id заявки|申请编号",
}
NAMES = {
    "name": "name|full name|customer name|client name|contact name|display name|company|"
    "title|product name|item name|description|имя|фио|клиент|название|наименование|товар|"
    "покупатель|姓名|客户姓名|客户名称|名称|商品名称|产品名称|品名",
    "email": "email|e mail|mail|email address|e mail address|customer email|"
    "электронная почта|почта|эл почта|емейл|имейл|адрес почты|邮箱|电子邮件|邮件|电子邮箱",
    "phone": "phone|phone number|telephone|tel|mobile|mobile phone|mobile phone number|"
    "cell|телефон|номер телефона|моб телефон|мобильный|тел|电话|手机|手机号|手机号码|"
    "联系电话|电话号码",
    "language": "language|locale|preferred language|язык|语言",
    "country": "country|country region|country code|billing country|страна|国家|国家地区",
    "city": "city|town|billing city|город|населенный пункт|城市|市",
    "birth_date": "birth date|birthday|date of birth|dob|birthdate|дата рождения|"
    "день рождения|др|生日|出生日期",
    "acquired_at": "acquired at|created|created at|create date|registered|"
    "registration date|sign up|signup date|joined|customer since|date added|first seen|"
    "дата регистрации|дата создания|注册时间|注册日期|创建时间|创建日期|加入日期",
    "source": "source|lead source|original source|channel of acquisition|utm source|"
    "referrer|источник|откуда узнал|来源|渠道来源",
    "industry": "industry|sector|line of business|отрасль|сфера|行业",
    "location": "location|store|shop|branch|outlet|магазин|точка|филиал|салон|门店|店铺|分店",
    "tags": "tags|labels|groups|segments|теги|метки|группы|标签",
    "marketing_consent": "marketing consent|accepts marketing|accepts email marketing|"
    "opt in|newsletter|subscribed|consent|согласие на рассылку|подписка|рассылка|согласие|"
    "营销同意|订阅",
    "acquisition_cost": "acquisition cost|cac|стоимость привлечения|获客成本",
    "category": "category|categories|product type|type|product category|group|категория|"
    "тип|группа товаров|类别|分类|商品分类",
    "kind": "kind|вид",
    "price": "price|regular price|variant price|list price|retail price|цена|"
    "розничная цена|价格|售价|单价",
    "cost": "cost|cost per item|cost price|cost of goods|purchase price|себестоимость|"
    "закупочная цена|成本|成本价|进价",
    "currency": "currency|currency code|валюта|货币|币种",
    "special_offer_sku": "special offer sku|upsell sku",
    "consumption_days": "consumption days|days of supply|срок расхода|消耗天数",
    "code": "code|store id|shop id",
    "timezone": "timezone|time zone|часовой пояс|时区",
    "order_id": "",
    "customer_id": "customer id|customer|client id|client|buyer|user id|member id|cust id|"
    "customer number|customer email|email|email billing|id клиента|код клиента|клиент|"
    "покупатель|客户|客户编号|客户id|会员编号|买家|顾客",
    "ordered_at": "ordered at|order date|date|purchase date|created at|created|order time|"
    "transaction date|invoice date|date created|sold at|дата|дата заказа|дата покупки|"
    "дата чека|дата и время|日期|下单时间|订单日期|购买日期|时间|交易时间|成交时间",
    "channel": "channel|sales channel|source name|канал|канал продаж|渠道|销售渠道",
    "status": "status|order status|state|financial status|статус|статус заказа|状态|订单状态",
    "delivered_at": "delivered at|delivery date|fulfilled at|shipped at|completed at|"
    "дата доставки|доставлен|送达时间|发货时间|交付日期",
    "sku": "sku|lineitem sku|product sku|item sku|stock code|stockcode|article|item number|"
    "product code|product id|product|item|артикул|код товара|товар|номенклатура|商品编号|"
    "货号|产品编号|商品编码|商品",
    "product_name": "product name|item name|lineitem name|product title|description|"
    "наименование|название товара|商品名称|产品名称|品名",
    "quantity": "quantity|qty|lineitem quantity|units|count|items sold|number of items|"
    "pieces|количество|кол во|колво|шт|数量|件数",
    "unit_price": "unit price|price|unitprice|lineitem price|item price|item cost|"
    "price each|цена|цена за единицу|цена за шт|单价|价格|售价",
    "discount": "discount|lineitem discount|discount amount|скидка|сумма скидки|折扣|优惠|优惠金额",
    "unit_cost": "unit cost|cost per item|cost price|себестоимость|закупочная цена|成本|单位成本",
    "amount": "amount|total|order total|sum|revenue|value|dollar value|order total amount|"
    "subtotal|grand total|paid|сумма|итого|сумма заказа|выручка|стоимость|金额|总金额|"
    "订单金额|总价|实付金额|实付",
    "refunded_at": "refunded at|refund date|return date|date|дата возврата|дата|退款时间|退款日期",
    "reason": "reason|return reason|refund reason|cancellation reason|причина|"
    "причина возврата|原因|退款原因",
    "enquired_at": "enquired at|enquiry date|created|created at|create date|date|lead date|"
    "дата обращения|дата заявки|дата|咨询时间|日期",
    "product_sku": "product sku|sku|product|товар|артикул|商品|货号",
    "occurred_at": "occurred at|date|time|when|called at|sent at|дата|время|дата и время|日期|时间",
    "direction": "direction|направление|方向",
    "author": "author|agent|employee|user|owner|автор|сотрудник|менеджер|员工|作者|客服",
    "text": "text|message|body|note|notes|comment|content|description|текст|сообщение|"
    "комментарий|заметка|内容|备注|文本|消息",
    "opened_at": "opened at|created at|date|complaint date|opened|дата жалобы|дата|投诉时间|日期",
    "severity": "severity|priority|важность|приоритет|严重程度|优先级",
    "five_p": "five p|5p",
    "resolved_at": "resolved at|closed at|resolution date|дата решения|закрыта|解决时间|关闭时间",
    "score": "score|rating|grade|answer|nps|оценка|балл|评分|分数",
    "answered_at": "answered at|date|response date|submitted at|дата ответа|дата|回答时间|日期",
    "survey": "survey|form|опрос|анкета|调查|问卷",
    "comment": "comment|feedback|remarks|text|комментарий|отзыв|评论|意见|备注",
    "points": "points|balance|points balance|bonus|bonuses|баллы|бонусы|остаток баллов|"
    "积分|积分余额",
    "expires_at": "expires at|expiry|expiry date|expiration date|valid until|сгорают|"
    "срок действия|到期日期|有效期",
    "period": "period|month|период|месяц|期间|月份",
    "requested_at": "requested at|request date|date|дата заявки|дата|申请时间|日期",
    "outcome": "outcome|result|итог|результат|исход|结果",
    "date": "date|дата|日期",
    "rate": "rate|exchange rate|курс|汇率",
    "external_id": "external id|foreign id|внешний id|外部编号",
}
DATES = {name for name in NAMES if name.endswith("_at")} | {"birth_date", "date"}
NUMBERS = {
    "acquisition_cost",
    "price",
    "cost",
    "consumption_days",
    "quantity",
    "unit_price",
    "discount",
    "unit_cost",
    "amount",
    "score",
    "points",
    "rate",
}
_SPLIT = re.compile(r"[\W_]+")
_CAMEL = re.compile(r"(?<=[a-zа-я0-9])(?=[A-ZА-Я])")


def plain_name(name: str) -> str:
    """Return a name in small letters, its words apart: ``OrderDate`` is ``order date``."""
    return " ".join(_SPLIT.sub(" ", _CAMEL.sub(" ", name)).casefold().replace("ё", "е").split())


@cache
def known_names(kind: str, column: str, key: str) -> tuple[set[str], set[str]]:
    """Return the names of a column, and those that only mean it if nothing else does."""
    names = set(NAMES.get(column, "").split("|")) | {plain_name(column)}
    weak: set[str] = set()
    if column == key:
        names |= set(KEY_NAMES.get(kind, "").split("|"))
        weak = set(ID_NAMES.split("|"))
    return names - {""}, weak
