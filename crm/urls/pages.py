"""Purchases, products, shops, and the customers' own page."""

from django.urls import path

from crm.views import catalogue, orders, portal

urlpatterns = [
    path("orders/", orders.order_list, name="order_list"),
    path("orders/new/", orders.order_new, name="order_new"),
    path("orders/<slug:ref>/", orders.order_detail, name="order"),
    path("orders/<slug:ref>/status/", orders.order_status, name="order_status"),
    path("products/", catalogue.product_list, name="product_list"),
    path("products/new/", catalogue.product_new, name="product_new"),
    path("products/<slug:ref>/edit/", catalogue.product_edit, name="product_edit"),
    path("locations/", catalogue.location_list, name="location_list"),
    path("locations/new/", catalogue.location_new, name="location_new"),
    path("locations/edit/<path:code>/", catalogue.location_edit, name="location_edit"),
    path("me/", portal.me, name="me"),
    path("me/language/", portal.my_language, name="my_language"),
]
