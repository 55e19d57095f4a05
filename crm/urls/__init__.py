"""Pages of the crm app; a module per noun."""

from crm.urls import (
    calendars,
    commerce,
    duplicates,
    imports,
    inbox,
    leaving,
    lists,
    pages,
    privacy,
    profile,
    standards,
    tasks,
)

app_name = "crm"

urlpatterns = [
    *duplicates.urlpatterns,  # customers/duplicates/ before customers/<ref>/
    *inbox.urlpatterns,
    *imports.urlpatterns,
    *lists.urlpatterns,
    *commerce.urlpatterns,  # orders/quick/ before orders/<ref>/
    *pages.urlpatterns,
    *leaving.urlpatterns,
    *privacy.urlpatterns,
    *standards.urlpatterns,
    *calendars.urlpatterns,
    *tasks.urlpatterns,
    *profile.urlpatterns,  # last: customers/<ref>/ would take customers/<word>/ of the others
]
