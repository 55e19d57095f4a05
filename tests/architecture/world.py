"""One of everything that a URL can name, made through the services."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from django.core.files.uploadedfile import SimpleUploadedFile

from crm.models import Customer
from crm.services import open_task
from crm.services.attachments import record_attachment
from crm.services.custom_fields import record_custom_field
from crm.services.notes import record_note
from feedback.services import (
    ensure_nps_survey,
    invite_customer,
    open_complaint,
    record_response,
    survey_url,
)
from loyalty.services import ensure_programme
from loyalty.services.members import enrol_customers
from mailing.services import ensure_template, queue_message
from mailing.services.suppressions import unsubscribe_token
from outreach.services import ensure_follow_up_rule
from tests.cast import ACTOR, NOON, make_location, make_order, make_product


@dataclass(frozen=True, slots=True)
class World:
    """Names as they stand in URLs."""

    customer: str
    order: str
    product: str
    location: str
    complaint: str
    message: str
    unsubscribe: str
    survey: str
    response: str
    rule: str
    task: str
    note: str
    field: str
    file: str


def make_world(customer: Customer) -> World:
    """Everything belongs to ``customer``."""
    happening = {"happened_at": NOON, "actor": ACTOR}
    programme = ensure_programme(starts_at=NOON, happened_at=NOON)
    enrol_customers(programme=programme, joined={customer.pk: NOON}, recorded_at=NOON)
    ensure_template("test", translations={"en": ("Subject", "Hello {{name}}")})
    message = queue_message(
        source_key="test:1",
        kind="survey",
        customer_id=customer.pk,
        template="test",
        language="en",
        context={},
        happened_at=NOON,
    )
    invitation = invite_customer(
        survey_id=ensure_nps_survey().pk,
        customer_id=customer.pk,
        trigger_key="test:1",
        happened_at=NOON,
    )
    response = record_response(
        survey_id=invitation.survey_id, score=2, customer_id=customer.pk, **happening
    )
    complaint = open_complaint(
        customer_id=customer.pk, text="It broke.", source="staff", **happening
    )
    return World(
        customer=customer.ref,
        order=make_order(customer=customer, ordered_at=NOON).ref,
        product=make_product().ref,
        location=make_location().code,
        complaint=complaint.ref,
        message=message.ref,
        unsubscribe=unsubscribe_token(message),
        survey=urlsplit(survey_url(invitation)).path.split("/")[2],
        response=response.ref,
        rule=ensure_follow_up_rule(delay_days=3, **happening).key,
        task=open_task(
            title="Call back", due_at=NOON, customer_id=customer.pk, **happening
        ).ref,
        note=record_note(customer_id=customer.pk, kind="need", text="A lid", **happening).ref,
        field=record_custom_field(key="size", label="Size", kind="number", **happening).key,
        file=record_attachment(
            file=SimpleUploadedFile("a.txt", b"words"), customer_id=customer.pk, **happening
        ).ref,
    )
