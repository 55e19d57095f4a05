"""Check that every marked string is translated, and that every readable string is marked.

Without arguments: checks locale/ru and locale/zh_Hans and the templates; exit 1 names each flaw.
``--write``: gathers the marked strings into the .po files, keeps what is translated, drops what is
no longer used. Pure Python: needs no gettext on the machine.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polib
from django.conf import settings
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
APPS = (
    *("accounts", "common", "config", "crm", "feedback"),
    *("loyalty", "mailing", "metrics", "outreach"),
)
PLURALS = {
    "ru": "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && "
    "(n%100<12 || n%100>14) ? 1 : 2);",
    "zh_Hans": "nplurals=1; plural=0;",
}
# How many leading arguments are text: context first where there is one.
MARKERS = {
    f"{name}{ending}": shape
    for name, shape in {
        "gettext": (False, 1),
        "pgettext": (True, 1),
        "ngettext": (False, 2),
        "npgettext": (True, 2),
    }.items()
    for ending in ("", "_lazy", "_noop")
} | {"_": (False, 1)}
PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]|\{(\w*)\}|%[sd]")
MARKED_CALL = re.compile(r"\b(npgettext|ngettext|pgettext|gettext|_)\(")

# Readable text that is left when everything else is taken out of a template.
NOT_TEXT = re.compile(
    r"{%\s*comment.*?{%\s*endcomment\s*%}|{#.*?#}"
    r"|{%\s*blocktrans(?:late)?\b.*?{%\s*endblocktrans(?:late)?\s*%}"
    r"|<(script|style|code|kbd|svg)\b.*?</\1>|<!--.*?-->",
    re.DOTALL,
)
TAGS = re.compile(r"{%.*?%}|{{.*?}}", re.DOTALL)
ATTRIBUTES = re.compile(
    r"\b(?:title|alt|placeholder|aria-label|data-confirm)=(\"[^\"]*\"|'[^']*')", re.DOTALL
)
MARKUP = re.compile(r"<[^>]*>", re.DOTALL)
ENTITY = re.compile(r"&#?\w+;")
WORD = re.compile(r"[^\W\d_]{2,}")
NAMES = {
    "Keepwell",
    "NPS",
    "CSV",
    "XLSX",
    "JSON",
    "API",
    "QR",
    "ID",
    "SKU",
    "URL",
    "EN",
    "RU",
    "Ctrl",
}


@dataclass(slots=True)
class Marked:
    """A string to translate, and where it stands."""

    text: str
    plural: str = ""
    context: str | None = None
    places: set[str] = field(default_factory=set)

    @property
    def key(self) -> tuple[str | None, str]:
        """What identifies it in a .po file."""
        return self.context, self.text


def gather() -> dict[tuple[str | None, str], Marked]:
    """Return every marked string of the apps and templates."""
    found: dict[tuple[str | None, str], Marked] = {}
    for path, source in _sources():
        place = path.relative_to(ROOT).as_posix()
        calls = _calls_of_python(source) if path.suffix == ".py" else _calls_of_template(source)
        for entry in calls:
            known = found.setdefault(entry.key, entry)
            known.plural = known.plural or entry.plural
            known.places.add(place)
    return found


def _sources() -> Iterator[tuple[Path, str]]:
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path, path.read_text()
    for path in sorted((ROOT / "templates").rglob("*")):
        if path.suffix in {".html", ".txt"}:
            yield path, path.read_text()


def _calls_of_python(source: str) -> Iterator[Marked]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            yield from _marked_call(node)


def _marked_call(node: ast.Call) -> Iterator[Marked]:
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if name not in MARKERS:
        return
    has_context, texts = MARKERS[name]
    values = [
        argument.value if isinstance(argument, ast.Constant) else None for argument in node.args
    ]
    values = values[: texts + has_context]
    if len(values) < texts + has_context or not all(isinstance(v, str) and v for v in values):
        return
    context = str(values.pop(0)) if has_context else None
    yield Marked(str(values[0]), str(values[1]) if texts == 2 else "", context)


def _calls_of_template(source: str) -> Iterator[Marked]:
    marked = templatize(source)
    for match in MARKED_CALL.finditer(marked):
        call = _balanced(marked, match.start())
        try:
            node = ast.parse(call.replace("\n", " "), mode="eval").body
        except SyntaxError:
            continue
        if isinstance(node, ast.Call):
            yield from _marked_call(node)


def _balanced(text: str, start: int) -> str:
    """The call that begins at ``start``, to its closing bracket, minding quotes."""
    quote, depth, position = "", 0, start
    while position < len(text):
        letter = text[position]
        if quote:
            if letter == "\\":
                position += 1
            elif letter == quote:
                quote = ""
        elif letter in "\"'":
            quote = letter
        elif letter == "(":
            depth += 1
        elif letter == ")":
            depth -= 1
            if not depth:
                return text[start : position + 1]
        position += 1
    return text[start:]


def unmarked() -> Iterator[str]:
    """Yield ``place: words`` for readable text of templates that is not marked."""
    for path in sorted((ROOT / "templates").rglob("*.html")):
        source = path.read_text()
        bare = TAGS.sub(" ", NOT_TEXT.sub(" ", source))
        texts = [value[1:-1] for value in ATTRIBUTES.findall(bare)]
        texts.append(MARKUP.sub("\n", bare))
        for text in texts:
            for line in ENTITY.sub(" ", text).splitlines():
                words = [word for word in WORD.findall(line) if word not in NAMES]
                if words:
                    yield f"{path.relative_to(ROOT).as_posix()}: not marked: {line.strip()[:60]}"


def flaws_of(language: str, strings: dict[tuple[str | None, str], Marked]) -> Iterator[str]:
    """Yield what is missing or wrong in one language."""
    path = _file(language)
    if not path.exists():
        yield f"{path.relative_to(ROOT)}: there is none"
        return
    entries = {(entry.msgctxt, entry.msgid): entry for entry in polib.pofile(str(path))}
    entries = {key: entry for key, entry in entries.items() if not entry.obsolete}
    for key, string in strings.items():
        where = f"{language}: {string.text[:50]!r} ({min(string.places)})"
        entry = entries.get(key)
        if entry is None:
            yield f"{where} is missing"
        elif entry.fuzzy:
            yield f"{where} is fuzzy"
        else:
            yield from (f"{where}: {flaw}" for flaw in _flaws_of_entry(entry, string, language))
    for key in entries.keys() - strings.keys():
        yield f"{language}: {key[1][:50]!r} is no longer used; run `make messages`"


def _flaws_of_entry(entry: polib.POEntry, string: Marked, language: str) -> Iterator[str]:
    wanted = _placeholders(string.text) | _placeholders(string.plural)
    if string.plural:
        count = int(re.search(r"nplurals=(\d)", PLURALS[language]).group(1))  # type: ignore[union-attr]
        forms = [entry.msgstr_plural.get(number, "") for number in range(count)]
        if not all(forms):
            yield "a plural form is not translated"
        elif any(_placeholders(form) - wanted for form in forms):
            yield "a plural form has other placeholders"
        elif wanted - _placeholders(forms[-1]):
            yield "the last plural form lacks a placeholder"
    elif not entry.msgstr:
        yield "is not translated"
    elif _placeholders(entry.msgstr) != wanted:
        yield f"placeholders differ from {sorted(wanted)}"


def _placeholders(text: str) -> set[str]:
    return {match.group(0) for match in PLACEHOLDER.finditer(text.replace("%%", ""))}


def _file(language: str) -> Path:
    return ROOT / "locale" / language / "LC_MESSAGES" / "django.po"


def write(language: str, strings: dict[tuple[str | None, str], Marked]) -> int:
    """Bring one .po file up to date; return how many strings wait for a translation."""
    path = _file(language)
    kept: dict[tuple[str | None, str], polib.POEntry] = {}
    if path.exists():
        kept = {(entry.msgctxt, entry.msgid): entry for entry in polib.pofile(str(path))}
    file = polib.POFile(wrapwidth=98)
    file.metadata = {
        "Language": language,
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=UTF-8",
        "Content-Transfer-Encoding": "8bit",
        "Plural-Forms": PLURALS[language],
    }
    for key, string in sorted(strings.items(), key=lambda item: (item[1].text, item[0][0] or "")):
        old = kept.get(key)
        entry = polib.POEntry(
            msgctxt=string.context,
            msgid=string.text,
            occurrences=[(place, "") for place in sorted(string.places)],
            flags=["python-format"] if "%(" in string.text + string.plural else [],
        )
        if string.plural:
            count = int(file.metadata["Plural-Forms"].split("=")[1].split(";")[0])
            entry.msgid_plural = string.plural
            entry.msgstr_plural = dict.fromkeys(range(count), "")
            if old is not None and old.msgid_plural == string.plural:
                entry.msgstr_plural |= old.msgstr_plural
        elif old is not None:
            entry.msgstr = old.msgstr
        file.append(entry)
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save(str(path))
    return len(file.untranslated_entries())


def main(arguments: list[str]) -> int:
    """Check or write; return the exit code."""
    if not settings.configured:
        settings.configure()
    strings = gather()
    if "--write" in arguments:
        for language in PLURALS:
            waiting = write(language, strings)
            print(f"locale/{language}: {len(strings)} strings, {waiting} not translated")
        return 0
    flaws = [flaw for language in PLURALS for flaw in flaws_of(language, strings)]
    flaws += unmarked()
    for flaw in flaws:
        print(flaw)
    if flaws:
        print(f"{len(flaws)} flaws in the translation of {len(strings)} strings")
    return 1 if flaws else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
