"""Customers, what is known of them, what they bought, what was said and is to be done."""

from crm.models.audiences import Audience, AudienceMember
from crm.models.calendars import BusinessCalendar, CalendarInterval, Holiday
from crm.models.catalogue import Location, LocationMembership, Product
from crm.models.customers import ConsentEvent, ContactPoint, Customer, CustomerTag, SearchTerm, Tag
from crm.models.files import Attachment
from crm.models.identity import (
    DuplicatePair,
    DuplicateSearch,
    ErasedIdentity,
    IdentityLink,
    Merge,
)
from crm.models.imports import ImportBatch, ImportChange, ImportRange, ImportReject, ImportSource
from crm.models.interactions import (
    Absence,
    Channel,
    Conversation,
    Interaction,
    Notification,
    ResponsePromise,
    SavedReply,
)
from crm.models.leads import Lead
from crm.models.leaving import (
    CancelDecision,
    CancelReason,
    CancelRequest,
    Offer,
    OfferAnswer,
)
from crm.models.money import Cost, ExchangeRate, Refund, RefundNote
from crm.models.orders import Order, OrderLine, OrderLineVersion, OrderVersion
from crm.models.playbooks import Playbook, PlaybookVersion, Run, Step, StepResult
from crm.models.profiles import (
    ConsentState,
    CustomerFigures,
    CustomField,
    CustomFieldValue,
    Note,
    RetentionPeriod,
    SavedView,
)
from crm.models.tasks import ContactCadence, Task

__all__ = [
    "Absence",
    "Attachment",
    "Audience",
    "AudienceMember",
    "BusinessCalendar",
    "CalendarInterval",
    "CancelDecision",
    "CancelReason",
    "CancelRequest",
    "Channel",
    "ConsentEvent",
    "ConsentState",
    "ContactCadence",
    "ContactPoint",
    "Conversation",
    "Cost",
    "CustomField",
    "CustomFieldValue",
    "Customer",
    "CustomerFigures",
    "CustomerTag",
    "DuplicatePair",
    "DuplicateSearch",
    "ErasedIdentity",
    "ExchangeRate",
    "Holiday",
    "IdentityLink",
    "ImportBatch",
    "ImportChange",
    "ImportRange",
    "ImportReject",
    "ImportSource",
    "Interaction",
    "Lead",
    "Location",
    "LocationMembership",
    "Merge",
    "Note",
    "Notification",
    "Offer",
    "OfferAnswer",
    "Order",
    "OrderLine",
    "OrderLineVersion",
    "OrderVersion",
    "Playbook",
    "PlaybookVersion",
    "Product",
    "Refund",
    "RefundNote",
    "ResponsePromise",
    "RetentionPeriod",
    "Run",
    "SavedReply",
    "SavedView",
    "SearchTerm",
    "Step",
    "StepResult",
    "Tag",
    "Task",
]
