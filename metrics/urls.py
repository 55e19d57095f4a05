"""Pages of the metrics app."""

from django.urls import path

from metrics.views import cohorts, figure, overview

app_name = "metrics"

urlpatterns = [
    path("metrics/", overview.overview, name="overview"),
    path("metrics/recompute/", overview.recompute_now, name="recompute"),
    path("metrics/status/", overview.recompute_status, name="status"),
    path("metrics/cohorts/", cohorts.cohorts, name="cohorts"),
    path("metrics/cohorts/people/", cohorts.cohort_people, name="cohort_people"),
    path("metrics/<slug:key>/", figure.figure, name="figure"),
    path("metrics/<slug:key>/people/", figure.people, name="people"),
]
