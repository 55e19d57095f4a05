"""One customer's page, its tabs and its cards."""

from django.urls import path

from crm.views import customer_page, customers, timelines

urlpatterns = [
    path("customers/new/", customers.customer_new, name="customer_new"),
    path("customers/<slug:ref>/", customer_page.customer_detail, name="customer"),
    path("customers/<slug:ref>/summary/", customer_page.customer_summary, name="customer_summary"),
    path(
        "customers/<slug:ref>/panels/", customer_page.customer_panels_beside, name="customer_panels"
    ),
    path("customers/<slug:ref>/edit/", customers.customer_edit, name="customer_edit"),
    path("customers/<slug:ref>/consent/", customers.customer_consent, name="customer_consent"),
    path(
        "customers/<slug:ref>/timeline/",
        timelines.customer_timeline_tab,
        name="customer_timeline",
    ),
    path("customers/<slug:ref>/orders/", timelines.customer_orders_tab, name="customer_orders"),
]
