"""Pages of the crm app; a module per noun."""

from crm.urls import pages, profile

app_name = "crm"

urlpatterns = [
    *pages.urlpatterns,
    *profile.urlpatterns,  # last: customers/<ref>/ would take customers/<word>/ of the others
]
