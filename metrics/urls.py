"""Pages of the metrics app."""

from django.urls import path

from metrics.views import cohorts, figure, overview, trials

app_name = "metrics"

urlpatterns = [
    path("imports/trials/", trials.trials, name="trials"),
    path("imports/trials/new/", trials.trial_new, name="trial_new"),
    path("imports/trials/<slug:ref>/", trials.trial, name="trial"),
    path("imports/trials/<slug:ref>/status/", trials.trial_status, name="trial_status"),
    path("imports/trials/<slug:ref>/discard/", trials.trial_discard, name="trial_discard"),
    path("imports/trials/<slug:ref>/rejects.csv", trials.trial_rejects, name="trial_rejects"),
    path("metrics/", overview.overview, name="overview"),
    path("metrics/recompute/", overview.recompute_now, name="recompute"),
    path("metrics/status/", overview.recompute_status, name="status"),
    path("metrics/cohorts/", cohorts.cohorts, name="cohorts"),
    path("metrics/cohorts/people/", cohorts.cohort_people, name="cohort_people"),
    path("metrics/<slug:key>/", figure.figure, name="figure"),
    path("metrics/<slug:key>/people/", figure.people, name="people"),
]
