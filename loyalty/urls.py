"""Pages of the loyalty app."""

from django.urls import path

from loyalty import views

app_name = "loyalty"

urlpatterns = [
    path("loyalty/", views.programme, name="programme"),
    path("programme/", views.terms, name="terms"),
    path("me/points/", views.my_points, name="my_points"),
]
