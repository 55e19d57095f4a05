"""Customers, how to reach them, and what they agreed to."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Right
from django.utils.translation import gettext_lazy as _

from common.append_only import append_only
from common.money import MoneyField
from common.refs import new_ref
from crm.models.catalogue import Location


class Customer(models.Model):
    """A person or organisation that buys, or may."""

    class Kind(models.TextChoices):
        """Whether a human or a business."""

        PERSON = "person", _("Person")
        ORGANISATION = "organisation", _("Organisation")

    class Stage(models.TextChoices):
        """Where the customer stands on the journey; pushed by the app that computes it."""

        LEAD = "lead", _("Lead")
        FIRST = "first", _("First purchase")
        REPEAT = "repeat", _("Repeat")
        LOYAL = "loyal", _("Loyal")
        AT_RISK = "at_risk", _("At risk")
        LOST = "lost", _("Lapsed")
        WON_BACK = "won_back", _("Won back")

    ref = models.CharField(max_length=16, unique=True, default=new_ref)
    external_id = models.CharField(_("external id"), max_length=64, null=True, unique=True)  # noqa: DJ001 - several have none
    kind = models.CharField(_("kind"), max_length=12, choices=Kind, default=Kind.PERSON)
    name = models.CharField(_("name"), max_length=255, blank=True)
    language = models.CharField(_("language"), max_length=10, blank=True)
    country = models.CharField(_("country"), max_length=64, blank=True)
    city = models.CharField(_("city"), max_length=120, blank=True)
    birth_date = models.DateField(_("birth date"), null=True, blank=True)
    industry = models.CharField(_("industry"), max_length=120, blank=True)
    source = models.CharField(_("source"), max_length=120, blank=True)
    acquired_at = models.DateTimeField(_("acquired"), null=True, blank=True)
    acquisition_cost = MoneyField(_("acquisition cost"), null=True, blank=True)
    stage = models.CharField(_("stage"), max_length=10, choices=Stage, default=Stage.LEAD)
    location = models.ForeignKey(
        Location, on_delete=models.PROTECT, null=True, blank=True, verbose_name=_("shop")
    )
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="customer"
    )
    preferred_channel = models.CharField(
        _("likes to be reached by"), max_length=10, blank=True, db_default=""
    )
    person = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="records"
    )  # whose record this is at present; None: their own. Past links: IdentityLink
    is_invented = models.BooleanField(default=False)  # demo data: the name belongs to nobody
    recorded_at = models.DateTimeField()
    erased_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        indexes: ClassVar = [
            models.Index(fields=["name", "id"], name="customer_name"),
            models.Index(fields=["stage", "id"], name="customer_stage"),
            models.Index(fields=["location", "id"], name="customer_location"),
            models.Index(fields=["recorded_at", "id"], name="customer_recorded"),
            models.Index(fields=["country", "id"], name="customer_country"),
            models.Index(fields=["source", "id"], name="customer_source"),
            models.Index(fields=["industry", "id"], name="customer_industry"),
        ]

    def __str__(self) -> str:
        return self.name or self.external_id or self.ref


class ContactPoint(models.Model):
    """An address or number; ``normalized`` is what is compared and searched."""

    class Kind(models.TextChoices):
        """How it reaches the customer."""

        EMAIL = "email", _("Email")
        PHONE = "phone", _("Phone")

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="contact_points")
    kind = models.CharField(max_length=8, choices=Kind)
    value = models.CharField(max_length=254)
    normalized = models.CharField(max_length=254)
    is_primary = models.BooleanField(default=False)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["customer", "kind", "normalized"], name="contact_point_once"
            ),
            models.UniqueConstraint(
                fields=["customer", "kind"],
                condition=Q(is_primary=True),
                name="contact_point_one_primary",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["kind", "normalized"], name="contact_normalized")]

    def __str__(self) -> str:
        return f"{self.kind} of customer {self.customer_id}"


class SearchTerm(models.Model):
    """A word by which the search box finds a customer; apps above add their own kinds."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="search_terms")
    kind = models.CharField(max_length=12)  # name, email, phone, id, card
    term = models.CharField(max_length=254)  # casefolded

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["customer", "kind", "term"], name="search_term_once"),
        ]
        # The operator class lets PostgreSQL find beginnings in any collation; SQLite ignores it.
        # Parts of names have a trigram index there, made by the migration.
        indexes: ClassVar = [
            models.Index(
                fields=["term", "customer"],
                name="search_term_prefix",
                opclasses=["varchar_pattern_ops", "int8_ops"],
            ),
            # The last digits of a number or card, as people say them at a counter.
            models.Index(
                Right("term", 4),
                condition=Q(kind__in=["card", "phone"]),
                name="search_term_tail",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} term of customer {self.customer_id}"


class Tag(models.Model):
    """A label of the business's own."""

    name = models.CharField(_("name"), max_length=60, unique=True)

    def __str__(self) -> str:
        return self.name


class CustomerTag(models.Model):
    """A label on a customer."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="tags")
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, db_index=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["customer", "tag"], name="customer_tag_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["tag", "customer"], name="customer_tag_who")]

    def __str__(self) -> str:
        return f"tag {self.tag_id} on customer {self.customer_id}"


@append_only
class ConsentEvent(models.Model):
    """Consent given or withdrawn; the latest per purpose and channel is in force."""

    class Purpose(models.TextChoices):
        """What the customer agrees to."""

        MARKETING = "marketing", _("Offers and news")
        SURVEYS = "surveys", _("Questions about your purchases")

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="consent_events")
    purpose = models.CharField(max_length=12, choices=Purpose)
    channel = models.CharField(max_length=12, default="email")
    is_granted = models.BooleanField()
    source = models.CharField(max_length=40)  # import, staff, portal, unsubscribe, api
    text_version = models.CharField(max_length=20, blank=True)
    actor = models.CharField(max_length=64)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["customer", "purpose", "channel", "-occurred_at", "-id"],
                name="consent_in_force",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purpose}/{self.channel} {self.is_granted} of customer {self.customer_id}"
