"""Texts, their names in braces, and queueing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InvalidInput
from mailing.models import MESSAGE_ID_LENGTH, Message, MessageContent, Template
from mailing.rendering import names_in, render_mail
from mailing.services import TemplateMissing, ensure_template, queue_message, record_template
from mailing.services.messages import message_id_of
from tests.cast import NOON, make_customer

Queue = Callable[..., Message]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "body",
    ["{{password}}", "{{ name.__class__ }}", "{% load x %}", "{{name", "{{ Name }}", "{# x #}"],
)
def test_an_unknown_name_in_braces_is_refused_when_saving(body: str) -> None:
    with pytest.raises(ValidationError):
        record_template(key="bad", translations={"en": ("Hello", body)})
    assert not Template.objects.exists()


@pytest.mark.django_db
def test_a_text_needs_the_organisations_language() -> None:
    with pytest.raises(ValidationError):
        record_template(key="bad", translations={"ru": ("Привет", "Привет")})
    assert not Template.objects.exists()


@pytest.mark.django_db
def test_ensuring_a_text_leaves_one_that_was_changed_alone(text: str) -> None:
    record_template(key=text, translations={"en": ("Changed", "Changed")})
    assert ensure_template(text, {"en": ("Hello", "Hello")}) == 2
    assert Template.objects.filter(key=text, version=2).count() == 1


@pytest.mark.django_db
def test_a_language_that_the_newest_version_lacks_gives_way_to_the_organisations(
    text: str, queue: Queue
) -> None:
    record_template(key=text, translations={"en": ("New", "New")})
    assert queue(language="ru").template.subject == "New"


@pytest.mark.django_db
def test_queueing_twice_under_one_key_writes_one_message(queue: Queue) -> None:
    first = queue(source_key="once")
    assert queue(source_key="once").pk == first.pk
    assert (Message.objects.count(), MessageContent.objects.count()) == (1, 1)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "context", [{}, {"link": "javascript:alert(1)"}, {"link": "https://x.example", "name": "Eve"}]
)
def test_missing_or_unfit_values_are_refused(queue: Queue, context: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        queue(context=context)
    assert not Message.objects.exists()


@pytest.mark.django_db
def test_an_unknown_text_is_refused() -> None:
    with pytest.raises(TemplateMissing):
        queue_message(
            source_key="x",
            customer_id=make_customer().pk,
            template="nothing",
            language="en",
            context={},
            happened_at=NOON,
        )
    assert not Message.objects.exists()


@pytest.mark.parametrize("domain", ["shop.example", "a" * 60 + ".example", "xn--" + "a" * 200])
def test_the_message_number_fits_into_66_characters(settings: Any, domain: str) -> None:
    settings.DEFAULT_FROM_EMAIL = f"shop@{domain}"
    number = message_id_of("abcdefghjkmn")
    assert len(number) <= MESSAGE_ID_LENGTH
    assert number == message_id_of("abcdefghjkmn")
    assert number.startswith("<abcdefghjkmn@")


@given(
    value=st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=80)
)
def test_a_value_is_never_looked_at_again(value: str) -> None:
    mail = render_mail(
        subject="{{name}}",
        body="{{name}} {{points}}",
        language="en",
        values={"name": value, "points": "{{name}}<b>"},
    )
    assert mail.text == f"{value} {{{{name}}}}<b>\n"
    assert "\n" not in mail.subject
    assert "<b>" not in mail.html


def test_the_html_escapes_values_and_links_only_links() -> None:
    mail = render_mail(
        subject="x",
        body="{{name}}\n\n{{link}}",
        language="zh-hans",
        values={"name": '<img src=x>"', "link": "https://x.example/?a=1&b=2"},
    )
    assert "<img" not in mail.html
    assert '<a href="https://x.example/?a=1&amp;b=2">' in mail.html
    assert '<html lang="zh-hans">' in mail.html
    assert "style=" not in mail.html


def test_names_may_have_blanks_around_them() -> None:
    assert names_in("{{ name }} and {{link}}") == {"name", "link"}
