"""Service standards: writing them, following them, how well they are kept."""

from django.urls import path

from crm.views import standard_builder, standard_figures, standard_runs, standards

urlpatterns = [
    path("standards/", standards.standard_list, name="standard_list"),
    path("standards/new/", standard_builder.standard_new, name="standard_new"),
    path("standards/ready/", standards.standard_ready, name="standard_ready"),
    path("standards/runs/", standard_runs.run_list, name="standard_runs"),
    path("standards/runs/complete/", standard_runs.runs_complete, name="standard_runs_complete"),
    path("standards/runs/<slug:ref>/", standard_runs.run_detail, name="standard_run"),
    path(
        "standards/runs/<slug:ref>/steps/<int:position>/",
        standard_runs.run_step,
        name="standard_run_step",
    ),
    path(
        "standards/runs/<slug:ref>/complete/",
        standard_runs.run_complete,
        name="standard_run_complete",
    ),
    path(
        "standards/runs/<slug:ref>/give-up/",
        standard_runs.run_give_up,
        name="standard_run_give_up",
    ),
    path("standards/runs/<slug:ref>/take/", standard_runs.run_take, name="standard_run_take"),
    path("standards/scorecard/", standard_figures.standard_scorecard, name="standard_scorecard"),
    path(
        "standards/scorecard/file/",
        standard_figures.standard_scorecard_file,
        name="standard_scorecard_file",
    ),
    path("standards/audit/", standard_figures.standard_audit, name="standard_audit"),
    path("standards/<slug:ref>/", standards.standard_detail, name="standard"),
    path("standards/<slug:ref>/edit/", standard_builder.standard_edit, name="standard_edit"),
    path(
        "standards/<slug:ref>/preview/", standard_builder.standard_preview, name="standard_preview"
    ),
    path(
        "standards/<slug:ref>/discard/", standard_builder.standard_discard, name="standard_discard"
    ),
    path("standards/<slug:ref>/switch/", standards.standard_switch, name="standard_switch"),
    path("standards/<slug:ref>/start/", standard_runs.standard_start, name="standard_start"),
    path(
        "standards/<slug:ref>/versions/<int:number>/",
        standards.standard_version,
        name="standard_version",
    ),
    path(
        "customers/<slug:ref>/standards/",
        standard_runs.customer_standards,
        name="customer_standards",
    ),
]
