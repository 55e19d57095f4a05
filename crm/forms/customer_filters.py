"""The filters, columns and order of the list of customers; together they are its address."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from common.forms import DecimalField, LineField
from common.time import start_of_day
from crm.forms.fields import DateField
from crm.forms.filters import SELECT, FilterForm
from crm.models import ConsentEvent, Customer, CustomField, Location, Tag
from crm.selectors.customer_filters import NEWEST, SORTS, CustomerFilters, OwnFieldFilter

INPUT = {"class": "form-control"}
BOX = {"class": "form-check-input"}
OWN = "own_"  # begins the name of a filter by a field of the business's own
DAYS = (30, 90, 180, 365)
SHAPE = ("sort", "columns")  # how the list looks, not who is in it


def _consents() -> list[tuple[str, Any]]:
    choices: list[tuple[str, Any]] = [("", _("Whatever they agreed to"))]
    for purpose, label in ConsentEvent.Purpose.choices:
        choices.append((f"{purpose}:yes", _("%(purpose)s: agreed") % {"purpose": label}))
        choices.append((f"{purpose}:no", _("%(purpose)s: not agreed") % {"purpose": label}))
    return choices


def _last_seen() -> list[tuple[str, Any]]:
    return [
        ("", _("Whenever last seen")),
        *(
            (f"within-{days}", _("Seen in the last %(days)s days") % {"days": days})
            for days in DAYS
        ),
        *((f"not-{days}", _("Not seen for %(days)s days") % {"days": days}) for days in DAYS),
        ("never", _("Never bought, never in touch")),
    ]


class CustomerFilterForm(FilterForm):
    """Whom the list shows; a value that makes no sense filters nothing."""

    q = LineField(label=_("Search"), max_length=200, required=False)
    stage = forms.MultipleChoiceField(
        label=_("Stage"),
        choices=Customer.Stage.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple(BOX),
    )
    shop = forms.ChoiceField(label=_("Shop"), required=False, widget=forms.Select(SELECT))
    tag = forms.TypedMultipleChoiceField(
        label=_("Tags"), required=False, widget=forms.CheckboxSelectMultiple(BOX), coerce=int
    )
    all_tags = forms.BooleanField(
        label=_("all of these tags"), required=False, widget=forms.CheckboxInput(BOX)
    )
    consent = forms.ChoiceField(label=_("Consent"), required=False, widget=forms.Select(SELECT))
    seen = forms.ChoiceField(label=_("Last seen"), required=False, widget=forms.Select(SELECT))
    seen_from = DateField(label=_("Seen on or after"), required=False)
    seen_until = DateField(label=_("Last seen before"), required=False)
    value_from = DecimalField(label=_("Bought for at least"), decimal_places=4, required=False)
    value_to = DecimalField(label=_("Bought for at most"), decimal_places=4, required=False)
    country = LineField(label=_("Country"), max_length=64, required=False)
    source = LineField(label=_("Source"), max_length=120, required=False)
    industry = LineField(label=_("Industry"), max_length=120, required=False)
    sort = forms.ChoiceField(choices=[(name, name) for name in SORTS], required=False)
    columns = forms.MultipleChoiceField(
        label=_("Columns"), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(
        self,
        data: QueryDict,
        *,
        shops: Sequence[Location] = (),
        tags: Sequence[Tag] = (),
        own_fields: Sequence[CustomField] = (),
        columns: Sequence[tuple[str, Any]] = (),
    ) -> None:
        """shops, tags, own_fields, columns: what there is to choose from."""
        self._shops = {shop.code: shop for shop in shops}
        self.own_fields = own_fields
        self._tags, self._columns = tags, columns
        super().__init__(data)

    def full_clean(self) -> None:
        """Fill in what there is to choose from, once, before the values are read."""
        if not hasattr(self, "_is_filled"):
            self._is_filled = True
            choices: dict[str, Any] = {
                "shop": [("", _("Every shop")), *((s.code, s.name) for s in self._shops.values())],
                "tag": [(tag.pk, tag.name) for tag in self._tags],
                "consent": _consents(),
                "seen": _last_seen(),
                "columns": list(self._columns),
            }
            for name, values in choices.items():
                self.fields[name].choices = values  # type: ignore[attr-defined]
            for field in self.own_fields:
                self.fields |= _own_inputs(field)
            for one in self.fields.values():
                if isinstance(one.widget, forms.TextInput | forms.NumberInput | forms.DateInput):
                    one.widget.attrs |= INPUT
        super().full_clean()

    @property
    def is_set(self) -> bool:
        """Whether anybody is left out."""
        return any(_is_given(value) for name, value in self.values.items() if name not in SHAPE)

    @property
    def more_set(self) -> int:
        """How many of the filters are set that the page folds away."""
        values = self.values
        return sum(
            1
            for name, value in values.items()
            if _is_given(value) and name not in ("q", "stage", "shop", *SHAPE)
        )

    @property
    def own_inputs(self) -> list[tuple[str, list[forms.BoundField]]]:
        """(label, inputs) per field of the business's own."""
        return [
            (
                field.label,
                [self[name] for name in (_name(field), *_ends(field)) if name in self.fields],
            )
            for field in self.own_fields
        ]

    @property
    def sorted_by(self) -> str:
        """What the list is sorted by."""
        return self.cleaned_data.get("sort") or NEWEST

    def filters(self, now: datetime) -> CustomerFilters:
        """Return what was asked for; ``now`` is what "the last 30 days" count back from."""
        asked = self.values
        purpose, _colon, answer = (asked["consent"] or "").partition(":")
        seen_from, seen_until = asked["seen_from"], asked["seen_until"]
        since = start_of_day(seen_from) if seen_from else None
        until = start_of_day(seen_until) if seen_until else None
        how, _dash, days = (asked["seen"] or "").partition("-")
        if how == "within":
            since = now - timedelta(days=int(days))
        elif how == "not":
            until = now - timedelta(days=int(days))
        return CustomerFilters(
            stages=tuple(asked["stage"] or ()),
            tag_ids=tuple(asked["tag"] or ()),
            all_tags=bool(asked["all_tags"]),
            location_id=self._shops[asked["shop"]].pk if asked["shop"] else None,
            purpose=purpose,
            is_granted=answer == "yes",
            revenue_from=asked["value_from"],
            revenue_to=asked["value_to"],
            seen_from=since,
            seen_until=until,
            is_never_seen=how == "never",
            country=asked["country"] or "",
            source=asked["source"] or "",
            industry=asked["industry"] or "",
            own_fields=tuple(self._own_filters(asked)),
        )

    def query(self, *, without: Sequence[str] = ()) -> str:
        """Return the address's query that means the same, without what makes no sense."""
        query, data = QueryDict(mutable=True), cast(QueryDict, self.data)
        for name in self.fields:
            if _is_given(self.values[name]) and name not in without:
                query.setlist(name, data.getlist(name))
        return query.urlencode()

    def _own_filters(self, asked: dict[str, Any]) -> list[OwnFieldFilter]:
        found = []
        for field in self.own_fields:
            low, high = (asked.get(end) for end in _ends(field))
            value = asked.get(_name(field)) or None
            if field.kind == CustomField.Kind.BOOLEAN and value:
                value = value == "yes"
            if value is not None or low is not None or high is not None:
                found.append(OwnFieldFilter(field.pk, field.kind, value, low, high))
        return found


def _is_given(value: Any) -> bool:
    return value is not None and value is not False and value not in ("", [])  # zero is given


def _name(field: CustomField) -> str:
    return f"{OWN}{field.key}"


def _ends(field: CustomField) -> tuple[str, str]:
    return f"{_name(field)}__from", f"{_name(field)}__to"


def _own_inputs(field: CustomField) -> dict[str, forms.Field]:
    name, (low, high) = _name(field), _ends(field)
    if field.kind == CustomField.Kind.CHOICE:
        choices = [("", _("Any")), *((choice, choice) for choice in field.choices)]
        return {name: _select(choices)}
    if field.kind == CustomField.Kind.BOOLEAN:
        return {name: _select([("", _("Any")), ("yes", _("Yes")), ("no", _("No"))])}
    if field.kind == CustomField.Kind.NUMBER:
        return {
            low: DecimalField(label=_("at least"), decimal_places=4, required=False),
            high: DecimalField(label=_("at most"), decimal_places=4, required=False),
        }
    if field.kind == CustomField.Kind.DATE:
        return {
            low: DateField(label=_("not before"), required=False),
            high: DateField(label=_("not after"), required=False),
        }
    return {name: LineField(max_length=255, required=False)}


def _select(choices: list[tuple[str, Any]]) -> forms.ChoiceField:
    return forms.ChoiceField(choices=choices, required=False, widget=forms.Select(SELECT))
