"""Enquiries: people who asked before they bought anything."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from crm.models.catalogue import Product
from crm.models.customers import Customer


class Lead(models.Model):
    """Somebody enquired, maybe about a product; the beginning of the funnel from lead to customer.

    A row of its own because none of what there is holds the time of an enquiry without saying more
    than is known: ``Customer.acquired_at`` is when somebody was won, and one person may enquire
    more than once; an interaction starts clocks and conversations and has no product; an offer is
    made by us. One instant of a customer has one enquiry per product; one without a product is the
    same as whatever is known of that instant.
    """

    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, related_name="leads", db_index=False
    )  # the unique keys below begin with it
    product = models.ForeignKey(Product, on_delete=models.PROTECT, null=True, related_name="+")
    source = models.CharField(_("source"), max_length=120, blank=True)  # what brought them
    actor = models.CharField(max_length=64)
    enquired_at = models.DateTimeField(_("enquired"))
    recorded_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["customer", "enquired_at", "product"], name="lead_once"
            ),
            models.UniqueConstraint(
                fields=["customer", "enquired_at"],
                condition=Q(product__isnull=True),
                name="lead_without_product_once",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["enquired_at", "id"], name="lead_by_time"),
            models.Index(fields=["recorded_at", "id"], name="lead_recorded"),
        ]

    def __str__(self) -> str:
        return f"enquiry of customer {self.customer_id}"
