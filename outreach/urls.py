"""Pages of the outreach app."""

from django.urls import path

from outreach import views

app_name = "outreach"

urlpatterns = [
    path("followups/", views.follow_ups, name="followups"),
    path("followups/<str:key>/switch/", views.switch, name="switch"),
]
