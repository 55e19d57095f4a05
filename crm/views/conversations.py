"""One conversation: reading it, answering, and saying what becomes of it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.permissions import roles_required
from common.errors import DomainError
from common.keyset import cursor_url, keyset_page
from common.requests import actor_of
from common.time import now
from crm.forms.inbox import PlaceForm, ReplyForm
from crm.forms.refusals import show_refusal
from crm.models import Channel, Conversation
from crm.roles import READERS, WRITERS, may_write, sees_contacts
from crm.saved_texts import filled
from crm.selectors.contacts import contacts_of
from crm.selectors.inbox import (
    colleagues,
    contacts_in,
    get_conversation,
    get_saved_reply,
    list_saved_replies,
    next_waiting,
)
from crm.selectors.replies import values_for
from crm.selectors.search import find_customers
from crm.services.conversations import link_customer, reopen_conversation
from crm.services.interactions import NewContact, record_interaction
from crm.tables import shown_contact
from crm.views.inbox import act

PRESENT_SECONDS = 25  # somewhat longer than the page asks again


@require_safe
@roles_required(read=READERS)
def conversation(request: HttpRequest, ref: str) -> HttpResponse:
    """One conversation with its contacts, newest last."""
    found = get_conversation(ref)
    return _page(request, found, ReplyForm(initial={"by_email": True}))


@require_POST
@roles_required(read=WRITERS)
def conversation_reply(request: HttpRequest, ref: str) -> HttpResponse:
    """Answer the customer, or leave a note for colleagues."""
    found = get_conversation(ref)
    form = ReplyForm(request.POST)
    if not form.is_valid():
        return _page(request, found, form)
    data = form.cleaned_data
    is_note = data["do"] == "note"
    sends = not is_note and data["by_email"] and _can_send(found)
    at = now()
    try:
        record_interaction(
            contact=NewContact(
                channel=found.channel,
                direction="internal" if is_note else "outbound",
                text=data["text"],
                customer_id=found.customer_id,
                conversation_id=found.pk,
                author_id=request.user.pk,
                keep_open=data["do"] == "stay",
                to_send=sends,
            ),
            happened_at=at,
            actor=actor_of(request),
        )
    except (DomainError, ValidationError) as error:
        show_refusal(form, error)
        return _page(request, found, form)
    cache.delete(_present_key(ref, request.user.pk))
    if is_note:
        messages.success(request, _("The note is kept. Customers never see it."))
    elif sends:
        messages.success(request, _("The answer goes out by email."))
    else:
        messages.success(request, _("The answer is logged; nothing was sent from here."))
    if data["do"] == "stay" or is_note:
        return redirect("crm:conversation", ref=ref)
    if data["do"] == "next" and (following := next_waiting(user=request.user, now=at, after=found)):
        return redirect("crm:conversation", ref=following.ref)
    return redirect("crm:inbox")


@require_POST
@roles_required(read=WRITERS)
def conversation_place(request: HttpRequest, ref: str) -> HttpResponse:
    """Take, assign, put off, close or open a conversation."""
    found = get_conversation(ref)
    form = PlaceForm(request.POST)
    if not form.is_valid():
        told = " ".join(str(text) for texts in form.errors.values() for text in texts)
        messages.error(request, _("Nothing was changed: %(why)s") % {"why": told})
    elif form.cleaned_data["action"] == "reopen":
        reopen_conversation(conversation_id=found.pk, happened_at=now(), actor=actor_of(request))
        messages.success(request, _("It is open again."))
    else:
        act(request, [found.pk], form)
        if form.cleaned_data["action"] in ("close", "dismiss", "snooze"):
            return redirect("crm:inbox")
    return redirect("crm:conversation", ref=ref)


@require_POST
@roles_required(read=WRITERS)
def conversation_link(request: HttpRequest, ref: str) -> HttpResponse:
    """Say which customer a sender is."""
    found = get_conversation(ref)
    people = find_customers(request.POST.get("customer_ref") or request.POST.get("customer", ""))
    if len(people) == 1:
        link_customer(
            conversation_id=found.pk,
            customer_id=people[0].pk,
            happened_at=now(),
            actor=actor_of(request),
        )
        messages.success(
            request, _("The conversation now belongs to %(name)s.") % {"name": people[0]}
        )
    elif people:
        messages.error(
            request, _("Nothing was changed: several customers have it; give the number.")
        )
    else:
        messages.error(request, _("Nothing was changed: nobody has this number, email or phone."))
    return redirect("crm:conversation", ref=ref)


@require_http_methods(["GET", "HEAD", "POST"])
@roles_required(read=WRITERS)
def conversation_presence(request: HttpRequest, ref: str) -> HttpResponse:
    """Which colleagues are writing an answer; a POST says that one is writing oneself."""
    found = get_conversation(ref)
    if request.method == "POST":
        cache.set(_present_key(ref, request.user.pk), True, PRESENT_SECONDS)
    others = {user.pk: user for user in colleagues() if user.pk != request.user.pk}
    keys = {_present_key(ref, user_id): user_id for user_id in others}
    writing = [others[keys[key]] for key in cache.get_many(list(keys))]
    context = {"writing": writing, "conversation": found}
    return render(request, "crm/parts/conversation_presence.html", context)


@require_POST
@roles_required(read=WRITERS)
def conversation_text(request: HttpRequest, ref: str) -> HttpResponse:
    """The box to write in: what stands in it, and a saved reply below that; keeps nothing.

    A POST, so that what somebody writes to a customer stands in no address.
    """
    found = get_conversation(ref)
    parts = [request.POST.get("text", "").rstrip()]
    if request.POST.get("reply"):
        reply = get_saved_reply(request.POST["reply"])
        parts.append(filled(reply.text, values_for(found, request.user)))
    form = ReplyForm(initial={"text": "\n\n".join(part for part in parts if part)})
    context = {"form": form, "conversation": found}
    return render(request, "crm/parts/conversation_text.html", context)


def _page(request: HttpRequest, found: Conversation, form: ReplyForm) -> HttpResponse:
    page = keyset_page(
        contacts_in(found),
        order=["-occurred_at", "-id"],
        cursor=request.GET.get("cursor", ""),
        size=30,
    )
    sees_texts = sees_contacts(request.user)
    contact = None
    if found.customer_id is not None:
        contact = shown_contact(contacts_of([found.customer_id])[found.customer_id], request.user)
    context: dict[str, Any] = {
        "conversation": found,
        "contacts": page.rows[::-1],
        "earlier_url": cursor_url(request, page.next_cursor),
        "contact": contact,
        "sees_texts": sees_texts,
        "may_write": may_write(request.user),
        "form": form,
        "now": now(),
        "is_resting": bool(found.snoozed_until and found.snoozed_until > now()),
        "can_send": bool(contact and contact.email and found.channel == Channel.EMAIL),
    }
    if may_write(request.user):
        context |= {"colleagues": colleagues(), "saved_replies": list_saved_replies()[:50]}
    return render(request, "crm/conversation.html", context, status=422 if form.is_bound else 200)


def _can_send(found: Conversation) -> bool:
    """Whether an answer can go out: by email, to a customer who has an address."""
    if found.channel != Channel.EMAIL or found.customer_id is None:
        return False
    return bool(contacts_of([found.customer_id])[found.customer_id].email)


def _present_key(ref: str, user_id: int | None) -> str:
    return f"writing:{ref}:{user_id}"
