"""Pages of the metrics app."""

from django.urls import path

from metrics.views import (
    cohorts,
    complaints,
    figure,
    funnel,
    kept,
    map_people,
    overview,
    people,
    purchases,
    recorded_people,
    rfm,
    service,
    shops,
    targets,
    tenure,
    trials,
    value,
    voice,
)

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
    path("metrics/people/<slug:name>/bulk/", people.bulk, name="people_bulk"),
    path("metrics/status/", overview.recompute_status, name="status"),
    path("metrics/cohorts/", cohorts.cohorts, name="cohorts"),
    path("metrics/cohorts/people/", cohorts.cohort_people, name="cohort_people"),
    path("metrics/retention/", kept.retention, name="retention"),
    path("metrics/revenue/", kept.revenue, name="revenue"),
    path("metrics/purchases/", purchases.purchases, name="purchases"),
    path("metrics/value/", value.value, name="value"),
    path("metrics/funnel/", funnel.funnel, name="funnel"),
    path("metrics/voice/", voice.voice, name="voice"),
    # Not …/complaints/: that is a figure.
    path("metrics/complaint-figures/", complaints.complaints, name="complaints"),
    path("metrics/shops/", shops.shops, name="shops"),
    path("metrics/standards/", service.standards, name="standards"),
    path("metrics/save/", service.save, name="save"),
    path("metrics/loyalty/", service.loyalty, name="loyalty"),
    path("metrics/tenure/", tenure.tenure, name="tenure"),
    path("metrics/tenure/rule/", tenure.handling_rule, name="handling_rule"),
    path("metrics/tenure/tasks/", tenure.handling_tasks, name="handling_tasks"),
    path("metrics/rfm/", rfm.rfm, name="rfm"),
    path("metrics/recorded/people/", recorded_people.recorded_people, name="recorded_people"),
    path("metrics/maps/<slug:name>/people/", map_people.map_people, name="map_people"),
    path("metrics/<slug:key>/", figure.figure, name="figure"),
    path("metrics/<slug:key>/target/", targets.target, name="target"),
    path("metrics/<slug:key>/people/", people.people, name="people"),
]
