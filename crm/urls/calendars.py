"""Opening hours."""

from django.urls import path

from crm.views import calendars

urlpatterns = [
    path("locations/calendars/", calendars.calendar_list, name="calendar_list"),
    path("locations/calendars/new/", calendars.calendar_new, name="calendar_new"),
    path("locations/calendars/<slug:ref>/", calendars.calendar_edit, name="calendar_edit"),
]
