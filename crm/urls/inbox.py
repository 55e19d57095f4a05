"""Contacts, the inbox, absences, saved replies, and the bell."""

from django.urls import path

from crm.views import absences, contacts, conversations, inbox, notifications, saved_replies

urlpatterns = [
    path("contacts/new/", contacts.contact_new, name="contact_new"),
    path("contacts/people/", contacts.contact_people, name="contact_people"),
    path("customers/<slug:ref>/contacts/", contacts.customer_contacts, name="customer_contacts"),
    path("inbox/files/<slug:ref>/", contacts.contact_file, name="contact_file"),
    path("inbox/", inbox.inbox, name="inbox"),
    path("inbox/bulk/", inbox.inbox_bulk, name="inbox_bulk"),
    path("inbox/figures/", inbox.inbox_figures, name="inbox_figures"),
    path("inbox/absences/", absences.absence_list, name="absence_list"),
    path("inbox/absences/<slug:ref>/end/", absences.absence_end, name="absence_end"),
    path("inbox/replies/", saved_replies.saved_reply_list, name="saved_reply_list"),
    path("inbox/replies/<slug:ref>/", saved_replies.saved_reply_edit, name="saved_reply_edit"),
    path(
        "inbox/replies/<slug:ref>/archive/",
        saved_replies.saved_reply_archive,
        name="saved_reply_archive",
    ),
    path("inbox/<slug:ref>/", conversations.conversation, name="conversation"),
    path("inbox/<slug:ref>/reply/", conversations.conversation_reply, name="conversation_reply"),
    path("inbox/<slug:ref>/place/", conversations.conversation_place, name="conversation_place"),
    path("inbox/<slug:ref>/link/", conversations.conversation_link, name="conversation_link"),
    path("inbox/<slug:ref>/text/", conversations.conversation_text, name="conversation_text"),
    path(
        "inbox/<slug:ref>/presence/",
        conversations.conversation_presence,
        name="conversation_presence",
    ),
    path("notifications/", notifications.notification_list, name="notification_list"),
    path("notifications/bell/", notifications.notification_bell, name="notification_bell"),
    path("notifications/read/", notifications.notification_read, name="notification_read"),
    path(
        "notifications/<slug:ref>/open/",
        notifications.notification_open,
        name="notification_open",
    ),
]
