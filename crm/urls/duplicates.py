"""Pages of customers who look alike."""

from django.urls import path

from crm.views import duplicates

urlpatterns = [
    path("customers/duplicates/", duplicates.duplicate_list, name="duplicate_list"),
    path("customers/duplicates/certain/", duplicates.duplicates_certain, name="duplicates_certain"),
    path(
        "customers/duplicates/<slug:first>/<slug:second>/",
        duplicates.duplicate,
        name="duplicate",
    ),
    path(
        "customers/duplicates/<slug:first>/<slug:second>/merge/",
        duplicates.duplicate_merge,
        name="duplicate_merge",
    ),
    path(
        "customers/duplicates/<slug:first>/<slug:second>/dismiss/",
        duplicates.duplicate_dismiss,
        name="duplicate_dismiss",
    ),
    path("customers/merges/<slug:ref>/undo/", duplicates.merge_undo, name="merge_undo"),
]
