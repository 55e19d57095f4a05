"""Pages of the crm app; a module per noun."""

from crm.urls import pages, privacy, profile, tasks

app_name = "crm"

urlpatterns = [
    *pages.urlpatterns,
    *privacy.urlpatterns,
    *tasks.urlpatterns,
    *profile.urlpatterns,  # last: customers/<ref>/ would take customers/<word>/ of the others
]
