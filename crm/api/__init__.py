"""The API of customers, purchases, products, shops and events."""

from django.urls import path

from crm.api.bulk import CustomerBulk, LocationBulk, OrderBulk, ProductBulk
from crm.api.catalogue import LocationList, ProductDetail, ProductList
from crm.api.customers import CustomerDetail, CustomerList
from crm.api.events import EventList
from crm.api.interactions import InteractionAttachments, InteractionDetail, InteractionList
from crm.api.orders import OrderDetail, OrderList
from crm.api.privacy import CustomerConsents
from crm.api.tasks import TaskDetail, TaskList

api_urls = [
    path("customers/", CustomerList.as_view(), name="api-customers"),
    path("customers/bulk/", CustomerBulk.as_view(), name="api-customers-bulk"),
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
    path("interactions/", InteractionList.as_view(), name="api-interactions"),
    path("interactions/<slug:ref>/", InteractionDetail.as_view(), name="api-interaction"),
    path(
        "interactions/<slug:ref>/attachments/",
        InteractionAttachments.as_view(),
        name="api-interaction-attachments",
    ),
    path("events/", EventList.as_view(), name="api-events"),
    path("tasks/", TaskList.as_view(), name="api-tasks"),
    path("tasks/<slug:ref>/", TaskDetail.as_view(), name="api-task"),
]
