"""What the pages of imports send: a file, how it is to be read, what is to be mended, and how."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.time import organisation_timezone
from crm.forms.filters import SELECT
from crm.imports.detection import Findings
from crm.imports.formats import EXAMPLE
from crm.imports.kinds import kinds
from crm.imports.mapping import Mapping
from crm.models import ImportBatch
from crm.selectors.import_matching import ColumnMatch, Match, by_choice, presets_for
from crm.selectors.import_words import column_label, kind_choices
from crm.selectors.imports import sources_of

MAKE = "+make"  # instead of one of our values: record what is not known
ENCODINGS = ("utf-8", "utf-16", "cp1251", "cp1252", "iso8859-1", "gb18030", "shift_jis")
DELIMITERS = {
    ",": gettext_lazy("comma"),
    ";": gettext_lazy("semicolon"),
    "\t": gettext_lazy("tab"),
    "|": gettext_lazy("bar"),
    " ": gettext_lazy("blanks"),
}
DATE_FORMATS = (
    "",
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M",
    "%d/%m/%Y",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y",
    "%m/%d/%Y %H:%M",
    "%Y/%m/%d",
    "%Y%m%d",
    "excel",
)
FROM_POST = ("encoding", "delimiter", "sheet", "date_format", "timezone", "match_by", "overwrite")
YES = ("has_header", "decimal_comma")
TICKS = ("create_missing", "number_orders")
LONGEST = 500


class UploadForm(forms.Form):
    """A file, and what stands in it if somebody says so."""

    file = forms.FileField(
        label=gettext_lazy("File"),
        max_length=255,
        allow_empty_file=True,  # refused with words of ours
        widget=forms.FileInput({"accept": ".csv,.tsv,.txt,.xlsx", "class": "drop-input"}),
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("What stands in it"), required=False, widget=forms.Select(SELECT)
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["kind"]
        field.choices = [("", _("Recognise it")), *kind_choices()]


class MatchForm(forms.Form):
    """How a file is to be read, as it stands: shown only.

    What comes back is read by :func:`posted_document`.
    """

    def __init__(self, match: Match, *, like: str = "", source: str = "") -> None:
        super().__init__(auto_id="match-%s")
        mapping, findings = match.mapping, match.findings
        add = self._choice
        add("kind", _("What stands in it"), kind_choices(), match.kind)
        add("like", _("Read it like"), like_choices(match.kind), like)
        if findings.is_workbook:
            sheets = [(name, name) for name in findings.sheets]
            add("sheet", _("Sheet"), sheets, mapping.sheet or findings.sheet)
        else:
            encodings = dict.fromkeys((findings.encoding, *ENCODINGS))
            add(
                "encoding",
                _("Text encoding"),
                [(e, e.upper()) for e in encodings],
                findings.encoding,
            )
            delimiters: dict[str, Any] = DELIMITERS | {}
            delimiters.setdefault(findings.delimiter, findings.delimiter)
            add("delimiter", _("Between cells"), list(delimiters.items()), findings.delimiter)
        heads = [("yes", _("column names")), ("no", _("a record"))]
        add("has_header", _("The first row"), heads, "yes" if findings.has_header else "no")
        points = [("no", "1234.56"), ("yes", "1234,56")]
        add("decimal_comma", _("Numbers"), points, "yes" if mapping.decimal_comma else "no")
        formats = dict.fromkeys((mapping.date_format, *findings.date_formats, *DATE_FORMATS))
        shown = [(one, format_example(one)) for one in formats]
        add("date_format", _("Dates"), shown, mapping.date_format)
        if findings.has_naive_times:
            self.fields["timezone"] = forms.CharField(
                label=_("Times of"),
                required=False,
                initial=mapping.timezone,
                widget=forms.TextInput(
                    {
                        "class": "form-control",
                        "placeholder": organisation_timezone().key,
                        "autocomplete": "off",
                        "spellcheck": "false",
                    }
                ),
            )
        known = [("", _("its id")), ("email", _("email")), ("phone", _("phone"))]
        add("match_by", _("A customer is known by"), known, mapping.match_by)
        overwrites = [
            ("filled", _("every filled cell")),
            ("empty", _("only what is empty so far")),
            ("nothing", _("nothing: only new records are made")),
        ]
        add("overwrite", _("What is known takes from the file"), overwrites, mapping.overwrite)
        self.fields["source"] = forms.CharField(
            label=_("Remember this as"),
            required=False,
            max_length=60,
            initial=source,
            widget=forms.TextInput({"class": "form-control", "autocomplete": "off"}),
        )

    def _choice(self, name: str, label: str, choices: list[tuple[str, Any]], value: str) -> None:
        self.fields[name] = forms.ChoiceField(
            label=label, choices=choices, initial=value, widget=forms.Select(SELECT)
        )

    def how_read(self) -> list[Any]:
        """The fields about the file, in order."""
        names = ("encoding", "delimiter", "sheet", "has_header", "decimal_comma", "date_format")
        return [self[name] for name in (*names, "timezone") if name in self.fields]


def format_example(date_format: str) -> str:
    """Show a format of dates by the last day of 2026."""
    if not date_format:
        return "2026-12-31"
    if date_format == "excel":
        return _("46387 (days, as in Excel)")
    return EXAMPLE.strftime(date_format)


def like_choices(kind: str) -> list[tuple[str, str]]:
    """Return what a file may be read like: a saved source, a program's export, or neither."""
    saved = [(f"source:{source.name}", source.name) for source in sources_of(kind)]
    ready = [(f"preset:{preset.key}", str(preset.label)) for preset in presets_for(kind)]
    return [("", _("as set below")), *saved, *ready]


def posted_kind(data: QueryDict, batch: ImportBatch) -> str:
    """Return the kind that was chosen; the batch's own for anything unknown."""
    kind = data.get("kind", "")
    return kind if kind in kinds() else batch.kind


def posted_document(data: QueryDict, batch: ImportBatch) -> dict[str, Any]:
    """Return a posted form as the JSON object of a mapping; what it doesn't ask for stays.

    Another kind than before begins without columns, constants and values.
    """
    document = dict(batch.mapping)
    if posted_kind(data, batch) != batch.kind:
        for name in ("columns", "constants", "values", "fill_down", "kept"):
            document.pop(name, None)
    else:
        columns = dict(zip(data.getlist("theirs"), data.getlist("ours"), strict=False))
        document["columns"] = columns
        document["constants"] = {
            key.removeprefix("constant."): value.strip()[:LONGEST]
            for key, value in data.items()
            if key.startswith("constant.") and isinstance(value, str) and value.strip()
        }
        document["kept"] = data.getlist("kept")
    for name in FROM_POST:
        if name in data:
            document[name] = data[name]
    for name in YES:
        if name in data:
            document[name] = data[name] == "yes"
    for name in TICKS:
        if "asks_orders" in data:
            document[name] = data.get(name) == "yes"
    return document


def posted_like(data: QueryDict, kind: str, findings: Findings) -> Mapping | None:
    """Return the mapping of the preset or source that was chosen just now, if any was."""
    like = data.get("like", "")
    return by_choice(kind, like, findings) if like and like != data.get("was_like", "") else None


def column_options(match: Match, column: ColumnMatch) -> list[tuple[str, str, bool]]:
    """Return code, words and whether it is chosen, of what a column may become."""
    labels = Counter(label for _name, label in match.choices)
    return [
        (name, label if labels[label] == 1 else f"{label} · {name}", name == column.ours)
        for name, label in match.choices
    ]


def constant_fields(match: Match) -> list[dict[str, Any]]:
    """Return what the file lacks and may get as one value for every row: required ones first."""
    matched = {column.ours for column in match.columns}
    missing = {one.name for one in match.missing}
    given = match.mapping.constants
    names = [name for name, _label in match.choices if name not in matched or name in given]
    names.sort(key=lambda name: name not in missing)
    return [
        {
            "name": name,
            "label": column_label(name),
            "value": given.get(name, ""),
            "is_missing": name in missing,
        }
        for name in names
    ]


def posted_values(data: QueryDict) -> list[tuple[str, str, str]]:
    """Return what was mended: column, their text, ours; what was left alone is left out.

    :raises ValidationError: the form was tampered with.
    """
    lists = [data.getlist(name) for name in ("column", "theirs", "instead")]
    if len({len(one) for one in lists}) != 1:
        raise ValidationError(_("The form is incomplete. Open the page again."))
    return [
        (column, theirs, instead.strip()[:LONGEST])
        for column, theirs, instead in zip(*lists, strict=True)
        if instead.strip()
    ]


class StartForm(forms.Form):
    """History or live."""

    mode = forms.ChoiceField(
        label=gettext_lazy("How"),
        choices=ImportBatch.Mode.choices,
        initial=ImportBatch.Mode.HISTORY,
        widget=forms.RadioSelect({"class": "form-check-input"}),
    )
