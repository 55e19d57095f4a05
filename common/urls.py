"""What the bottom app answers to itself."""

from django.urls import path

from common.views import undo

app_name = "common"

urlpatterns = [path("undo/", undo, name="undo")]
