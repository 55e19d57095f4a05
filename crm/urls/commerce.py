"""Quick sale, corrections of purchases, refunds, costs, exchange rates."""

from django.urls import path

from crm.views import costs, orders, rates, refunds, sales

urlpatterns = [
    path("orders/quick/", sales.quick_sale, name="quick_sale"),
    path("orders/quick/products/", sales.quick_sale_products, name="quick_sale_products"),
    path("orders/quick/customers/", sales.quick_sale_customers, name="quick_sale_customers"),
    path("orders/<slug:ref>/slip/", sales.order_slip, name="order_slip"),
    path("orders/<slug:ref>/edit/", orders.order_edit, name="order_edit"),
    path("orders/<slug:ref>/refund/", refunds.refund_new, name="refund_new"),
    path("refunds/", refunds.refund_list, name="refund_list"),
    path("refunds/<slug:ref>/correct/", refunds.refund_correct, name="refund_correct"),
    path("costs/", costs.cost_list, name="cost_list"),
    path("costs/new/", costs.cost_new, name="cost_new"),
    path("costs/<slug:month>/", costs.cost_month, name="cost_month"),
    path("rates/", rates.rate_list, name="rate_list"),
    path("rates/new/", rates.rate_new, name="rate_new"),
]
