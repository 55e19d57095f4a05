"""The list of customers and what is done with it; saved views; the command palette."""

from django.urls import path

from crm.views import customer_list, exports, palette, saved_views

urlpatterns = [
    path("customers/", customer_list.customer_list, name="customer_list"),
    path("customers/count/", customer_list.customer_count, name="customer_count"),
    path("customers/bulk/", customer_list.customer_bulk, name="customer_bulk"),
    path("customers/bulk/task/", customer_list.customer_bulk_task, name="customer_bulk_task"),
    path("customers/export/", customer_list.customer_export, name="customer_export"),
    path("exports/<slug:key>/", exports.list_export, name="list_export"),
    path("views/", saved_views.view_save, name="view_save"),
    path("views/<slug:ref>/", saved_views.view_change, name="view_change"),
    path("views/<slug:ref>/delete/", saved_views.view_delete, name="view_delete"),
    path("palette/", palette.palette, name="palette"),
]
