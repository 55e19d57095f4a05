"""Strings to translate are found, checked and compiled."""

from __future__ import annotations

import gettext
from pathlib import Path

import polib
import pytest

from config.translations import compile_translations
from scripts import check_translations as checks
from scripts.check_translations import Marked

TEMPLATE = """
{% load i18n %}{% trans "Hello" %}{% translate "It's" context "greeting" %}
{% blocktrans trimmed with n=name %}
  Hi {{ n }}
{% endblocktrans %}
{% blocktranslate count c=total %}One {{ c }}{% plural %}Many {{ c }}{% endblocktranslate %}
{% include "x.html" with title=_("Empty") %}
"""


def test_every_form_of_marking_in_templates_is_found() -> None:
    found = {
        (entry.context, entry.text, entry.plural) for entry in checks._calls_of_template(TEMPLATE)
    }
    assert found == {
        (None, "Hello", ""),
        ("greeting", "It's", ""),
        (None, "Hi %(n)s", ""),
        (None, "One %(c)s", "Many %(c)s"),
        (None, "Empty", ""),
    }


def test_every_form_of_marking_in_code_is_found() -> None:
    source = (
        '_("a " "b"); gettext_lazy("c"); pgettext("ctx", "d"); ngettext("e", "f", n); '
        "_(variable); other('g')"
    )
    found = [(entry.context, entry.text, entry.plural) for entry in checks._calls_of_python(source)]
    assert found == [(None, "a b", ""), (None, "c", ""), ("ctx", "d", ""), (None, "e", "f")]


@pytest.fixture
def locale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(checks, "ROOT", tmp_path)
    return tmp_path / "locale"


def strings(*texts: str) -> dict[tuple[str | None, str], Marked]:
    return {(None, text): Marked(text, places={"a.py"}) for text in texts}


def translate(locale: Path, **translations: str) -> None:
    path = locale / "ru" / "LC_MESSAGES" / "django.po"
    file = polib.pofile(str(path))
    for entry in file:
        entry.msgstr = translations.get(entry.msgid.split()[0], "")
    file.save(str(path))


def test_a_complete_translation_has_no_flaws(locale: Path) -> None:
    wanted = strings("Save", "Hello %(name)s")
    assert checks.write("ru", wanted) == 2
    translate(locale, Save="Сохранить", Hello="Привет, %(name)s")
    assert list(checks.flaws_of("ru", wanted)) == []


def test_missing_untranslated_unused_and_broken_ones_are_named(locale: Path) -> None:
    checks.write("ru", strings("Save", "Hello %(name)s", "Old"))
    translate(locale, Hello="Привет, %(nmae)s", Old="Старое")
    flaws = "\n".join(checks.flaws_of("ru", strings("Save", "Hello %(name)s", "New")))
    assert "'Save' (a.py): is not translated" in flaws
    assert "'Hello %(name)s' (a.py): placeholders differ" in flaws
    assert "'New' (a.py) is missing" in flaws
    assert "'Old' is no longer used" in flaws


def test_gathering_again_keeps_what_is_translated(locale: Path) -> None:
    checks.write("ru", strings("Save"))
    translate(locale, Save="Сохранить")
    assert checks.write("ru", strings("Save", "Close")) == 1


def test_compiling_makes_catalogues_that_gettext_reads_and_does_it_once(locale: Path) -> None:
    checks.write("ru", strings("Save"))
    translate(locale, Save="Сохранить")
    assert compile_translations(locale) == 1
    assert compile_translations(locale) == 0
    assert gettext.translation("django", locale, ["ru"]).gettext("Save") == "Сохранить"
