"""Imports, step by step."""

from django.urls import path

from crm.views import import_checks, import_matching, import_results, imports

urlpatterns = [
    path("imports/", imports.import_list, name="import_list"),
    path("imports/new/", imports.import_new, name="import_new"),
    path("imports/<slug:ref>/", imports.import_page, name="import"),
    path("imports/<slug:ref>/match/", import_matching.import_match, name="import_match"),
    path("imports/<slug:ref>/check/", import_checks.import_check, name="import_check"),
    path("imports/<slug:ref>/mend/", import_checks.import_mend, name="import_mend"),
    path("imports/<slug:ref>/recheck/", import_checks.import_recheck, name="import_recheck"),
    path("imports/<slug:ref>/start/", import_checks.import_start, name="import_start"),
    path("imports/<slug:ref>/status/", import_results.import_status, name="import_status"),
    path("imports/<slug:ref>/totals/", import_results.import_totals, name="import_totals"),
    path("imports/<slug:ref>/rejects.csv", import_results.import_rejects, name="import_rejects"),
    path(
        "imports/<slug:ref>/rejected-rows.csv",
        import_results.import_rejected_rows,
        name="import_rejected_rows",
    ),
    *(
        path(
            f"imports/<slug:ref>/{action}/",
            import_results.import_steer,
            {"action": action},
            name=f"import_{action}",
        )
        for action in ("pause", "resume", "cancel", "undo")
    ),
]
