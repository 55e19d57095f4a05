"""Surveys, whom we asked, and what they answered."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from common.append_only import append_only
from common.refs import new_ref
from crm.models import Customer

# Lowest and highest score of each kind of answer.
SCALES = {
    "nps": (0, 10),
    "csat": (1, 5),
    "ces": (1, 7),
    "intention": (0, 10),
    "stars": (1, 5),
}


class Survey(models.Model):
    """A questionnaire in one version; frozen once somebody was invited."""

    class Kind(models.TextChoices):
        """What its main question measures."""

        NPS = "nps", _("Would recommend (NPS)")
        CSAT = "csat", _("Satisfied (CSAT)")
        CES = "ces", _("Made it easy (CES)")
        INTENTION = "intention", _("Would buy again")
        STARS = "stars", _("Stars")

    key = models.CharField(max_length=40)
    version = models.PositiveIntegerField(default=1)
    name = models.CharField(_("name"), max_length=120)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    valid_days = models.PositiveIntegerField(_("open for (days)"), default=30)
    created_at = models.DateTimeField()
    frozen_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["key", "version"], name="survey_version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"


class Question(models.Model):
    """A question in the languages of the product."""

    survey = models.ForeignKey(Survey, on_delete=models.PROTECT, related_name="questions")
    position = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=10)  # score_0_10, text
    wording = models.JSONField()  # language code → text

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["survey", "position"], name="question_position_once"),
        ]

    def __str__(self) -> str:
        return f"question {self.position} of survey {self.survey_id}"

    def text(self, language: str) -> str:
        """Return the wording in a language, else in English."""
        wording: dict[str, str] = self.wording
        return wording.get(language) or wording["en"]


class Invitation(models.Model):
    """A customer asked to answer, once per trigger. The link's token is derived, not stored."""

    class State(models.TextChoices):
        """How far it got."""

        QUEUED = "queued", _("Queued")
        OPENED = "opened", _("Opened")
        RESPONDED = "responded", _("Answered")

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    survey = models.ForeignKey(Survey, on_delete=models.PROTECT, related_name="invitations")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="+")
    trigger_key = models.CharField(max_length=120, unique=True)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    invited_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["survey", "-invited_at"], name="invitation_newest"),
        ]

    def __str__(self) -> str:
        return f"invitation {self.ref}"


@append_only
class Response(models.Model):
    """An answer: its score never changes. Words stand in the erasable :class:`ResponseComment`."""

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    external_id = models.CharField(max_length=64, null=True, unique=True)  # noqa: DJ001 - most have none
    survey = models.ForeignKey(Survey, on_delete=models.PROTECT, related_name="responses")
    invitation = models.OneToOneField(
        Invitation, on_delete=models.PROTECT, null=True, related_name="response"
    )
    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    kind = models.CharField(max_length=10, choices=Survey.Kind)
    score = models.SmallIntegerField()
    is_simulated = models.BooleanField(default=False)  # demo data: nobody gave this answer
    answered_at = models.DateTimeField()
    recorded_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["customer", "-answered_at"], name="response_of_customer"),
            models.Index(fields=["-answered_at", "-id"], name="response_newest"),
            models.Index(fields=["recorded_at"], name="response_recorded"),
        ]
        constraints: ClassVar = [
            *(
                models.CheckConstraint(
                    condition=~Q(kind=kind) | Q(score__gte=lowest, score__lte=highest),
                    name=f"response_{kind}_{lowest}_to_{highest}",
                )
                for kind, (lowest, highest) in SCALES.items()
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.score}"

    @property
    def highest_score(self) -> int:
        """The upper end of its scale."""
        return SCALES[self.kind][1]


class ResponseComment(models.Model):
    """The words beside a score; can be erased."""

    response = models.OneToOneField(Response, on_delete=models.PROTECT, related_name="comment")
    text = models.TextField()

    def __str__(self) -> str:
        return f"comment on response {self.response_id}"


class ResponseVoid(models.Model):
    """An answer that no longer counts, and why."""

    response = models.OneToOneField(Response, on_delete=models.PROTECT, related_name="void")
    reason = models.CharField(max_length=255)
    actor = models.CharField(max_length=64)
    voided_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"void of response {self.response_id}"
