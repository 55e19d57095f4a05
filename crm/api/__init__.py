"""The API of customers, purchases, products, shops and events."""

from django.urls import path

from crm.api.bulk import CustomerBulk, LocationBulk, OrderBulk, ProductBulk
from crm.api.bulk_each import InteractionBulk, RefundBulk, TaskBulk
from crm.api.cancel_requests import CancelRequestDetail, CancelRequestList
from crm.api.catalogue import LocationDetail, LocationList, ProductDetail, ProductList
from crm.api.costs import CostList
from crm.api.customers import CustomerDetail, CustomerList
from crm.api.duplicates import (
    CustomerMerge,
    DuplicateDismiss,
    DuplicateList,
    MergeList,
    MergeUndo,
)
from crm.api.events import EventList
from crm.api.imports import ImportDetail, ImportList, ImportRejects, ImportSteering
from crm.api.interactions import InteractionAttachments, InteractionDetail, InteractionList
from crm.api.offers import OfferDetail, OfferList
from crm.api.orders import OrderDetail, OrderList
from crm.api.privacy import CustomerConsents
from crm.api.rates import RateList
from crm.api.refunds import RefundDetail, RefundList
from crm.api.standards import (
    RunCompletion,
    RunDetail,
    RunGivingUp,
    RunList,
    RunStepView,
    StandardDetail,
    StandardList,
)
from crm.api.tasks import TaskDetail, TaskList

api_urls = [
    path("customers/", CustomerList.as_view(), name="api-customers"),
    path("customers/bulk/", CustomerBulk.as_view(), name="api-customers-bulk"),
    path("customers/duplicates/", DuplicateList.as_view(), name="api-duplicates"),
    path(
        "customers/duplicates/dismiss/",
        DuplicateDismiss.as_view(),
        name="api-duplicates-dismiss",
    ),
    path("customers/merges/", MergeList.as_view(), name="api-merges"),
    path("customers/merges/<slug:ref>/undo/", MergeUndo.as_view(), name="api-merge-undo"),
    path("customers/<slug:ref>/merge/", CustomerMerge.as_view(), name="api-customer-merge"),
    path("customers/<slug:ref>/", CustomerDetail.as_view(), name="api-customer"),
    path(
        "customers/<slug:ref>/consents/",
        CustomerConsents.as_view(),
        name="api-customer-consents",
    ),
    path("orders/", OrderList.as_view(), name="api-orders"),
    path("orders/bulk/", OrderBulk.as_view(), name="api-orders-bulk"),
    path("orders/<slug:ref>/", OrderDetail.as_view(), name="api-order"),
    path("products/", ProductList.as_view(), name="api-products"),
    path("products/bulk/", ProductBulk.as_view(), name="api-products-bulk"),
    path("products/<slug:ref>/", ProductDetail.as_view(), name="api-product"),
    path("locations/", LocationList.as_view(), name="api-locations"),
    path("locations/bulk/", LocationBulk.as_view(), name="api-locations-bulk"),
    path("locations/<path:code>/", LocationDetail.as_view(), name="api-location"),
    path("refunds/", RefundList.as_view(), name="api-refunds"),
    path("refunds/bulk/", RefundBulk.as_view(), name="api-refunds-bulk"),
    path("refunds/<slug:ref>/", RefundDetail.as_view(), name="api-refund"),
    path("rates/", RateList.as_view(), name="api-rates"),
    path("costs/", CostList.as_view(), name="api-costs"),
    path("offers/", OfferList.as_view(), name="api-offers"),
    path("offers/<slug:ref>/", OfferDetail.as_view(), name="api-offer"),
    path("cancel-requests/", CancelRequestList.as_view(), name="api-cancel-requests"),
    path("cancel-requests/<slug:ref>/", CancelRequestDetail.as_view(), name="api-cancel-request"),
    path("imports/", ImportList.as_view(), name="api-imports"),
    path("imports/<slug:ref>/", ImportDetail.as_view(), name="api-import"),
    path("imports/<slug:ref>/rejects/", ImportRejects.as_view(), name="api-import-rejects"),
    *(
        path(
            f"imports/<slug:ref>/{action}/",
            ImportSteering.as_view(action=action),
            name=f"api-import-{action}",
        )
        for action in ("pause", "resume", "cancel", "undo")
    ),
    path("interactions/", InteractionList.as_view(), name="api-interactions"),
    path("interactions/bulk/", InteractionBulk.as_view(), name="api-interactions-bulk"),
    path("interactions/<slug:ref>/", InteractionDetail.as_view(), name="api-interaction"),
    path(
        "interactions/<slug:ref>/attachments/",
        InteractionAttachments.as_view(),
        name="api-interaction-attachments",
    ),
    path("events/", EventList.as_view(), name="api-events"),
    path("tasks/", TaskList.as_view(), name="api-tasks"),
    path("tasks/bulk/", TaskBulk.as_view(), name="api-tasks-bulk"),
    path("tasks/<slug:ref>/", TaskDetail.as_view(), name="api-task"),
    path("standards/", StandardList.as_view(), name="api-standards"),
    path("standards/runs/", RunList.as_view(), name="api-standard-runs"),
    path("standards/runs/<slug:ref>/", RunDetail.as_view(), name="api-standard-run"),
    path(
        "standards/runs/<slug:ref>/steps/<int:position>/",
        RunStepView.as_view(),
        name="api-standard-run-step",
    ),
    path(
        "standards/runs/<slug:ref>/complete/",
        RunCompletion.as_view(),
        name="api-standard-run-complete",
    ),
    path(
        "standards/runs/<slug:ref>/give-up/",
        RunGivingUp.as_view(),
        name="api-standard-run-give-up",
    ),
    path("standards/<slug:ref>/", StandardDetail.as_view(), name="api-standard"),
]
