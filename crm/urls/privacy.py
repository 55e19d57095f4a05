"""Consent, export, erasure, retention."""

from django.urls import path

from crm.views import my_privacy, privacy

urlpatterns = [
    path("privacy/", privacy.privacy, name="privacy"),
    path("privacy/preview/", privacy.privacy_preview, name="privacy_preview"),
    path("privacy/came-back/", privacy.privacy_came_back, name="privacy_came_back"),
    path("customers/<slug:ref>/privacy/", privacy.customer_privacy, name="customer_privacy"),
    path("customers/<slug:ref>/consent/", privacy.customer_consent, name="customer_consent"),
    path("customers/<slug:ref>/export/", privacy.customer_data, name="customer_data"),
    path("customers/<slug:ref>/erase/", privacy.customer_erase, name="customer_erase"),
    path("me/consent/", my_privacy.my_consent, name="my_consent"),
    path("me/data/", my_privacy.my_data, name="my_data"),
]
