"""Pages of the crm app; a module per noun."""

from crm.urls import pages

app_name = "crm"

urlpatterns = [*pages.urlpatterns]
