"""Pages of the mailing app."""

from django.urls import path

from mailing import views

app_name = "mailing"

urlpatterns = [
    path("messages/", views.message_list, name="message_list"),
    path("messages/<str:ref>/", views.message_detail, name="message"),
    path("messages/<str:ref>/sent/", views.message_mark_sent, name="message_mark_sent"),
    path("messages/<str:ref>/resend/", views.message_resend, name="message_resend"),
    path("u/<str:token>/", views.unsubscribe, name="unsubscribe"),
]
