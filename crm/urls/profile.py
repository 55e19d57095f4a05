"""One customer's page, its tabs and its cards; labels and fields of the business's own."""

from django.urls import path

from crm.views import (
    custom_fields,
    customer_cards,
    customer_files,
    customer_forms,
    customer_page,
    notes,
    tags,
    timelines,
)

urlpatterns = [
    path("customers/new/", customer_forms.customer_new, name="customer_new"),
    path("customers/tags/", tags.tag_list, name="tag_list"),
    path("customers/fields/", custom_fields.custom_field_list, name="custom_field_list"),
    path("customers/fields/new/", custom_fields.custom_field_new, name="custom_field_new"),
    path(
        "customers/fields/<slug:key>/edit/",
        custom_fields.custom_field_edit,
        name="custom_field_edit",
    ),
    path(
        "customers/fields/<slug:key>/archive/",
        custom_fields.custom_field_archive,
        name="custom_field_archive",
    ),
    path("customers/<slug:ref>/", customer_page.customer_detail, name="customer"),
    path("customers/<slug:ref>/summary/", customer_page.customer_summary, name="customer_summary"),
    path(
        "customers/<slug:ref>/panels/", customer_page.customer_panels_beside, name="customer_panels"
    ),
    path("customers/<slug:ref>/edit/", customer_forms.customer_edit, name="customer_edit"),
    path(
        "customers/<slug:ref>/timeline/",
        timelines.customer_timeline_tab,
        name="customer_timeline",
    ),
    path("customers/<slug:ref>/orders/", timelines.customer_orders_tab, name="customer_orders"),
    path("customers/<slug:ref>/notes/", notes.customer_notes_tab, name="customer_notes"),
    path("customers/<slug:ref>/details/", customer_cards.customer_details, name="customer_details"),
    path(
        "customers/<slug:ref>/reached-by/",
        customer_cards.customer_contacts,
        name="customer_contact_points",
    ),
    path("customers/<slug:ref>/tags/", customer_cards.customer_tags, name="customer_tags"),
    path("customers/<slug:ref>/files/", customer_files.customer_files, name="customer_files"),
    path("files/<slug:ref>/", customer_files.customer_file, name="customer_file"),
    path(
        "files/<slug:ref>/remove/", customer_files.customer_file_remove, name="customer_file_remove"
    ),
    path("notes/<slug:ref>/edit/", notes.note_edit, name="note_edit"),
    path("notes/<slug:ref>/archive/", notes.note_archive, name="note_archive"),
]
