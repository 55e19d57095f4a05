"""Offers, and customers who ask to leave."""

from django.urls import path

from crm.views import leaving, offers

urlpatterns = [
    path("customers/<slug:ref>/offers/", offers.customer_offers_tab, name="customer_offers"),
    path("offers/", offers.offer_list, name="offer_list"),
    path("offers/new/", offers.offer_new, name="offer_new"),
    path("offers/<slug:ref>/answer/", offers.offer_answer, name="offer_answer"),
    path("cancel-requests/", leaving.cancel_request_list, name="cancel_request_list"),
    path("cancel-requests/new/", leaving.cancel_request_new, name="cancel_request_new"),
    path("cancel-requests/reasons/", leaving.cancel_reason_list, name="cancel_reason_list"),
    path("cancel-requests/reasons/new/", leaving.cancel_reason_new, name="cancel_reason_new"),
    path("cancel-requests/reasons/<slug:code>/", leaving.cancel_reason_edit, name="cancel_reason"),
    path("cancel-requests/<slug:ref>/", leaving.cancel_request_detail, name="cancel_request"),
    path(
        "cancel-requests/<slug:ref>/offer/",
        leaving.cancel_request_offer,
        name="cancel_request_offer",
    ),
    path(
        "cancel-requests/<slug:ref>/decide/",
        leaving.cancel_request_decide,
        name="cancel_request_decide",
    ),
]
