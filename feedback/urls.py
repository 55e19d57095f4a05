"""Pages of the feedback app."""

from django.urls import path

from feedback.views import complaints, surveys

app_name = "feedback"

urlpatterns = [
    path("complaints/", complaints.complaint_list, name="complaint_list"),
    path("complaints/new/", complaints.complaint_new, name="complaint_new"),
    path("complaints/<str:ref>/", complaints.complaint_detail, name="complaint"),
    path("complaints/<str:ref>/resolve/", complaints.complaint_resolve, name="complaint_resolve"),
    path("complaints/<str:ref>/close/", complaints.complaint_close, name="complaint_close"),
    path("c/", complaints.public_complaint, name="public_complaint"),
    path("c/thanks/", complaints.public_complaint_thanks, name="public_complaint_thanks"),
    path("surveys/", surveys.survey_list, name="survey_list"),
    path("surveys/answers/<str:ref>/void/", surveys.response_void, name="response_void"),
    path("s/<str:token>/", surveys.survey, name="survey"),
]
