"""The fields of a way to earn points, of whatever kind."""

from __future__ import annotations

from django import forms
from django.utils import dates
from django.utils.translation import gettext_lazy, pgettext_lazy

from common.forms import DecimalField, LineField
from crm.forms.fields import DateField
from crm.models import Audience, Location, Product
from loyalty.forms.fields import BOXES, CHECKS, SELECT, FromNowField, ListField
from loyalty.models import RuleVersion, Tier
from loyalty.selectors.conditions import MOST_POINTS as MOST_CAPPED
from loyalty.selectors.conditions import CapWindow
from loyalty.services.rule_content import LAST_POSITION

CAPS = ("per_order", "per_day", "per_member", "window")
# Sections of the form below what the rule pays; all of them may stay empty.
GOODS = ("products", "categories", "product_kinds", "excluded_products", "excluded_categories")
WHERE = ("locations", "channels", "minimum_amount")
WHO = ("tiers", "audience")
WHEN = ("weekdays", "starts_on", "ends_on", "from_time", "until_time", "seasons")
MORE = ("rounding", "per", "is_exclusive", "position", "holdout_percent")
PRODUCT_FIELDS = ("products", "excluded_products")
LABELS = {
    "points": gettext_lazy("Points"),
    "per_amount": gettext_lazy("for each amount of"),
    "factor": gettext_lazy("Times the points"),
    "nth": gettext_lazy("Every n-th purchase; n is"),
    "friend_points": gettext_lazy("Points for the friend"),
}


class RuleFields(forms.Form):
    """All that a rule may say; names of fields are those that services refuse by."""

    name = LineField(label=pgettext_lazy("of a thing", "Name"), max_length=255)
    products = forms.ModelMultipleChoiceField(
        Product.objects.all(), to_field_name="ref", required=False, label=gettext_lazy("Products")
    )
    categories = forms.MultipleChoiceField(
        required=False, label=gettext_lazy("Categories"), widget=BOXES
    )
    product_kinds = forms.MultipleChoiceField(
        required=False,
        label=gettext_lazy("Kinds of product"),
        choices=Product.Kind.choices,
        widget=BOXES,
    )
    excluded_products = forms.ModelMultipleChoiceField(
        Product.objects.all(),
        to_field_name="ref",
        required=False,
        label=gettext_lazy("Not these products"),
    )
    excluded_categories = forms.MultipleChoiceField(
        required=False, label=gettext_lazy("Not these categories"), widget=BOXES
    )
    locations = forms.ModelMultipleChoiceField(
        Location.objects.none(),
        required=False,
        to_field_name="code",
        label=gettext_lazy("Shops"),
        widget=BOXES,
    )
    channels = ListField(
        label=gettext_lazy("Purchases made by"),
        help_text=gettext_lazy("For instance online, shop. Empty: any way."),
    )
    minimum_amount = DecimalField(
        label=gettext_lazy("What counts comes to at least"),
        required=False,
        min_value=0,
        max_digits=15,
        decimal_places=4,
    )
    tiers = forms.ModelMultipleChoiceField(
        Tier.objects.none(),
        required=False,
        to_field_name="ref",
        label=gettext_lazy("Tiers"),
        widget=BOXES,
    )
    audience = forms.ModelChoiceField(
        Audience.objects.none(),
        required=False,
        to_field_name="ref",
        label=gettext_lazy("Group of customers"),
        empty_label=gettext_lazy("Every member"),
        widget=forms.Select(SELECT),
    )
    weekdays = forms.TypedMultipleChoiceField(
        required=False,
        coerce=int,
        label=gettext_lazy("Days of the week"),
        choices=[(day + 1, name) for day, name in dates.WEEKDAYS.items()],
        widget=BOXES,
    )
    starts_on = DateField(label=gettext_lazy("First day"), required=False)
    ends_on = DateField(label=gettext_lazy("Last day"), required=False)
    from_time = forms.CharField(
        label=gettext_lazy("From (time)"),
        required=False,
        widget=forms.TextInput({"type": "time"}),
    )
    until_time = forms.CharField(
        label=gettext_lazy("Until (time)"),
        required=False,
        widget=forms.TextInput({"type": "time"}),
    )
    per_order = forms.IntegerField(
        label=gettext_lazy("At most for a purchase"),
        required=False,
        min_value=1,
        max_value=MOST_CAPPED,
    )
    per_day = forms.IntegerField(
        label=gettext_lazy("At most a day"), required=False, min_value=1, max_value=MOST_CAPPED
    )
    per_member = forms.IntegerField(
        label=gettext_lazy("At most for each member"),
        required=False,
        min_value=1,
        max_value=MOST_CAPPED,
    )
    window = forms.ChoiceField(
        label=gettext_lazy("within"),
        required=False,
        choices=[("", gettext_lazy("all time")), *CapWindow.choices],
        widget=forms.Select(SELECT),
    )
    rounding = forms.ChoiceField(
        label=gettext_lazy("Rounded"),
        choices=RuleVersion.Rounding.choices,
        initial=RuleVersion.Rounding.DOWN,
        widget=forms.Select(SELECT),
    )
    per = forms.ChoiceField(
        label=gettext_lazy("Rounded for"),
        choices=RuleVersion.Per.choices,
        initial=RuleVersion.Per.ORDER,
        widget=forms.Select(SELECT),
    )
    is_exclusive = forms.BooleanField(
        label=gettext_lazy("If it pays, nothing is added after it"),
        required=False,
        widget=forms.CheckboxInput(CHECKS),
    )
    position = forms.IntegerField(
        label=gettext_lazy("Place in the order"),
        min_value=0,
        max_value=LAST_POSITION,
        help_text=gettext_lazy("Rules with a smaller number are reckoned first."),
    )
    holdout_percent = forms.IntegerField(
        label=gettext_lazy("Comparison group (%)"),
        min_value=0,
        max_value=90,
        initial=0,
        help_text=gettext_lazy(
            "So many members in a hundred don't get it, so that you see what it does."
        ),
    )
    valid_from = FromNowField(
        label=gettext_lazy("For purchases from"),
        help_text=gettext_lazy("Empty: from now on. What was earned before stays as it is."),
    )
