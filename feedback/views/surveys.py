"""Surveys: the customer's page behind the link, and what staff see."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import STAFF_ROLES
from accounts.permissions import WRITERS, roles_required
from common.errors import Conflict, DomainError
from common.keyset import keyset_page
from common.requests import actor_of
from common.time import now
from crm.forms.refusals import show_refusal
from crm.roles import may_write
from crm.selectors import language_of
from feedback import selectors, services
from feedback.forms import SurveyForm, VoidForm
from feedback.models import Invitation
from feedback.tokens import form_nonce, get_invitation, is_form_nonce


@require_safe
@roles_required(read=STAFF_ROLES)
def survey_list(request: HttpRequest) -> HttpResponse:
    """The surveys, and the newest answers with their words."""
    page = keyset_page(
        selectors.list_responses(), order=["-answered_at"], cursor=request.GET.get("cursor", "")
    )
    context = {
        "surveys": selectors.survey_counts(),
        "responses": page.rows,
        "may_void": may_write(request.user),
        **page.urls(request),
    }
    return render(request, "feedback/survey_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=WRITERS)
def response_void(request: HttpRequest, ref: str) -> HttpResponse:
    """Take an answer out of the figures, with a reason; the answer itself stays."""
    response = get_object_or_404(selectors.list_responses(), ref=ref)
    form = VoidForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            services.void_response(
                response_id=response.pk,
                reason=form.cleaned_data["reason"],
                happened_at=now(),
                actor=actor_of(request),
            )
        except (DomainError, ValidationError) as error:
            show_refusal(form, error)
        else:
            messages.success(request, _("This answer no longer counts. It stays in the list."))
            return redirect("feedback:survey_list")
    status = 422 if form.is_bound else 200
    context = {"form": form, "response": response}
    return render(request, "feedback/response_void.html", context, status=status)


@csrf_exempt  # the signed nonce of each rendered form does the same without a cookie
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def survey(request: HttpRequest, token: str) -> HttpResponse:
    """Show and take a customer's answer. Opening the link never answers."""
    invitation = get_invitation(token)
    language = request.GET.get("language", "")
    if language not in dict(settings.LANGUAGES):
        language = language_of(invitation.customer)
    with translation.override(language):
        request.LANGUAGE_CODE = language
        if request.method == "POST":
            return _take_answer(request, invitation, language)
        if invitation.state == Invitation.State.RESPONDED:
            return render(request, "feedback/survey_done.html", {"language": language})
        if now() >= invitation.expires_at:
            return render(
                request, "feedback/survey_closed.html", {"language": language}, status=410
            )
        if request.method == "GET":
            services.open_invitation(invitation_id=invitation.pk, happened_at=now())
        score = request.GET.get("score", "")
        form = SurveyForm(initial={"score": score if score in set(map(str, range(11))) else None})
        return _form_page(request, invitation, form, language)


def _take_answer(request: HttpRequest, invitation: Invitation, language: str) -> HttpResponse:
    form = SurveyForm(request.POST)
    if not is_form_nonce(request.POST.get("nonce", ""), invitation):
        form = SurveyForm(initial=request.POST.dict())
        return _form_page(request, invitation, form, language, status=400, is_stale=True)
    if not form.is_valid():
        return _form_page(request, invitation, form, language, status=422)
    try:
        services.record_response(
            survey_id=invitation.survey_id,
            invitation_id=invitation.pk,
            score=form.cleaned_data["score"],
            comment=form.cleaned_data["comment"],
            happened_at=now(),
            actor=f"customer:{invitation.customer_id}",
        )
    except Conflict as error:
        context = {"refusal": str(error), "language": language}
        return render(request, "feedback/survey_done.html", context, status=409)
    return render(request, "feedback/survey_done.html", {"language": language})


def _form_page(
    request: HttpRequest,
    invitation: Invitation,
    form: SurveyForm,
    language: str,
    status: int = 200,
    is_stale: bool = False,
) -> HttpResponse:
    questions = {
        question.kind: question.text(language) for question in invitation.survey.questions.all()
    }
    chosen = form["score"].value()
    context = {
        "form": form,
        "score_question": questions.get("score_0_10", ""),
        "comment_question": questions.get("text", ""),
        "scores": [(str(number), str(number) == str(chosen)) for number in range(11)],
        "nonce": form_nonce(invitation),
        "language": language,
        "is_stale": is_stale,
    }
    return render(request, "feedback/survey.html", context, status=status)
