"""One of everything that a URL can name, made through the services."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from urllib.parse import urlsplit

from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import Role
from accounts.services import create_user
from common.time import now
from crm.models import Customer
from crm.services import open_task
from crm.services.absences import record_absence
from crm.services.attachments import record_attachment
from crm.services.calendars import Opening, record_calendar
from crm.services.cancel_reasons import record_reason
from crm.services.cancel_requests import open_cancel_request
from crm.services.custom_fields import record_custom_field
from crm.services.interactions import NewContact, record_interaction
from crm.services.merges import merge_customers
from crm.services.notes import record_note
from crm.services.offers import record_offer
from crm.services.playbooks import open_draft
from crm.services.refunds import record_refund
from crm.services.saved_replies import save_reply
from feedback.services import (
    ensure_nps_survey,
    invite_customer,
    open_complaint,
    record_response,
    survey_url,
)
from loyalty.models import MonthReport
from loyalty.services import ensure_programme
from loyalty.services.adjustments import request_adjustment
from loyalty.services.holds import hold_points
from loyalty.services.liability import report_due
from loyalty.services.members import enrol_customers
from loyalty.services.opening import Opening as Brought
from loyalty.services.opening import open_balances
from loyalty.services.redemptions import redeem_reward
from loyalty.services.rewards import add_reward
from loyalty.services.tiers import add_tier
from mailing.services import ensure_template, queue_message
from mailing.services.suppressions import unsubscribe_token
from metrics.models import Trial
from outreach.services import ensure_follow_up_rule
from tests.cast import ACTOR, NOON, make_customer, make_location, make_order, make_product
from tests.crm.imports.uploads import make_done_import, make_upload
from tests.crm.standards import make_run


@dataclass(frozen=True, slots=True)
class World:
    """Names as they stand in URLs."""

    customer: str
    twin: str
    merge: str
    order: str
    product: str
    location: str
    complaint: str
    message: str
    unsubscribe: str
    survey: str
    response: str
    rule: str
    refund: str
    offer: str
    cancel_request: str
    cancel_reason: str
    task: str
    calendar: str
    note: str
    field: str
    file: str
    interaction: str
    conversation: str
    contact_file: str
    absence: str
    reply: str
    standard: str
    run: str
    upload: str
    done_import: str
    trial: str
    points_rule: str
    reward: str
    redemption: str
    tier: str
    adjustment: str
    hold: str
    points_month: str


def make_world(customer: Customer) -> World:
    """Everything belongs to ``customer``."""
    happening = {"happened_at": NOON, "actor": ACTOR}
    programme = ensure_programme(starts_at=NOON, happened_at=NOON)
    enrol_customers(programme=programme, joined={customer.pk: NOON}, recorded_at=NOON)
    open_balances(
        programme=programme, openings={customer.pk: Brought(lots=((None, 500),))}, actor=ACTOR
    )
    reward = add_reward(
        kind="discount", name="Five off", points=100, value=Decimal(5), starts_at=NOON, **happening
    )
    redemption = redeem_reward(
        customer_id=customer.pk,
        reward_id=reward.pk,
        source_key="test:1",
        happened_at=now(),
        actor=ACTOR,
    )
    hold = hold_points(
        customer_id=customer.pk,
        points=50,
        source_key="test:2",
        minutes=24 * 60,
        happened_at=now(),
        actor=ACTOR,
    )
    report_due(now())
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
    contact = record_interaction(
        contact=NewContact(
            channel="email", direction="inbound", customer_id=customer.pk, text="Is it there?"
        ),
        **happening,
    )
    colleague = create_user(email="away@keepwell.example", role=Role.STAFF, name="Ada Away")
    absence = record_absence(
        user_id=colleague.pk,
        substitute_id=None,
        starts_at=NOON,
        ends_at=NOON + timedelta(days=1),
        **happening,
    )
    order = make_order(customer=customer, ordered_at=NOON)
    [refund] = record_refund(order_id=order.pk, amount=Decimal(5), refunded_at=NOON, **happening)
    reason = record_reason(code="world", names={"en": "Too far"}, **happening)
    request = open_cancel_request(
        customer_id=customer.pk, reason_id=reason.pk, requested_at=NOON, **happening
    )
    offer = record_offer(customer_id=customer.pk, text="A month free", made_at=NOON, **happening)
    run = make_run(customer_id=customer.pk)
    standard = run.version.playbook
    open_draft(playbook_id=standard.pk, **happening)
    return World(
        customer=customer.ref,
        twin=make_customer(name=customer.name, email="").ref,
        merge=merge_customers(
            person_id=make_customer().pk, record_id=make_customer().pk, source="api", **happening
        ).ref,
        order=order.ref,
        refund=refund.ref,
        offer=offer.ref,
        cancel_request=request.ref,
        cancel_reason=reason.code,
        product=make_product().ref,
        location=make_location().code,
        complaint=complaint.ref,
        message=message.ref,
        unsubscribe=unsubscribe_token(message),
        survey=urlsplit(survey_url(invitation)).path.split("/")[2],
        response=response.ref,
        rule=ensure_follow_up_rule(delay_days=3, **happening).key,
        task=open_task(title="Call back", due_at=NOON, customer_id=customer.pk, **happening).ref,
        calendar=record_calendar(name="Usual", openings=[Opening(0, 540, 1080)], **happening).ref,
        note=record_note(customer_id=customer.pk, kind="need", text="A lid", **happening).ref,
        field=record_custom_field(key="size", label="Size", kind="number", **happening).key,
        file=record_attachment(
            file=SimpleUploadedFile("a.txt", b"words"), customer_id=customer.pk, **happening
        ).ref,
        interaction=contact.ref,
        conversation=contact.conversation.ref,
        contact_file=record_attachment(
            file=SimpleUploadedFile("b.txt", b"words"), interaction_id=contact.pk, **happening
        ).ref,
        absence=absence.ref,
        reply=save_reply(name="Hours", text="Hello {name}", language="", **happening).ref,
        standard=standard.ref,
        run=run.ref,
        upload=make_upload().ref,
        done_import=make_done_import().ref,
        trial=Trial.objects.create(actor=ACTOR, requested_at=NOON).ref,
        points_rule=programme.rules.get().ref,
        reward=reward.ref,
        redemption=redemption.ref,
        tier=add_tier(name="Silver", threshold=Decimal(100), **happening).ref,
        adjustment=request_adjustment(
            customer_id=customer.pk,
            points=10,
            reason="goodwill",
            author_id=colleague.pk,
            source_key="test:1",
            happened_at=NOON,
        ).ref,
        hold=hold.ref,
        points_month=f"{MonthReport.objects.latest('month').month:%Y-%m}",
    )
