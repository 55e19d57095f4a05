"""Files with columns of the business's own fields."""

from datetime import date
from decimal import Decimal

import pytest

from crm.imports.mapping import Mapping
from crm.models import Customer, CustomFieldValue
from crm.selectors.custom_fields import custom_values_of
from crm.services.custom_fields import record_custom_field
from tests.cast import ACTOR, NOON

KINDS = {"skin": "text", "shoe": "number", "checked": "date", "pets": "boolean", "name": "text"}


@pytest.fixture(autouse=True)
def _fields(db):
    for key, kind in KINDS.items():
        record_custom_field(key=key, label=key, kind=kind, happened_at=NOON, actor=ACTOR)
    record_custom_field(key="size", label="Size", kind="choice", choices=["S", "M"],
                        happened_at=NOON, actor=ACTOR)  # fmt: skip


def held(external_id):
    customer = Customer.objects.get(external_id=external_id)
    return {own.field.key: own.value for own in custom_values_of([customer.pk])}


def test_columns_are_named_by_prefix_or_bare_key_and_a_second_import_changes_nothing(imported):
    text = (
        "external_id,name,custom.name,custom.skin,Shoe,checked,pets,size\n"
        "1,Ann,Annie,dry,41.5,2026-02-28,yes,M\n"
        "2,Bob,,,,,no,\n"
    )
    imported("customers", text)
    assert held("1") == {
        "name": "Annie",
        "skin": "dry",
        "shoe": Decimal("41.5"),
        "checked": date(2026, 2, 28),
        "pets": True,
        "size": "M",
    }
    assert held("2") == {"pets": False}
    assert Customer.objects.get(external_id="1").name == "Ann"
    again = imported("customers", text)
    assert (again.counts.created, again.counts.updated, again.counts.unchanged) == (0, 0, 2)
    changed = imported("customers", "external_id,size,shoe\n1,S,\n2,,\n")
    assert (changed.counts.updated, changed.counts.unchanged) == (1, 1)
    assert (held("1")["size"], held("1")["shoe"]) == ("S", Decimal("41.5"))
    assert CustomFieldValue.objects.count() == 7


def test_a_wrong_value_refuses_its_row_with_line_and_reason(imported):
    text = "external_id,size,shoe,checked\n1,XXL,,\n2,,big,\n3,,,31.12.2026\n4,S,1,2026-01-01\n"
    outcome = imported("customers", text)
    assert [(row["line"], row["column"]) for row in outcome.rejects] == [
        (2, "custom.size"),
        (3, "custom.shoe"),
        (4, "custom.checked"),
    ]
    assert outcome.rejects[0]["reason"] == "Enter one of: S, M."
    assert list(Customer.objects.values_list("external_id", flat=True)) == ["4"]


def test_a_mapping_names_them_and_reads_local_numbers(imported):
    mapping = Mapping(columns={"Размер обуви": "custom.shoe"}, decimal_comma=True)
    imported("customers", 'external_id,Размер обуви\n1,"1.041,5"\n', mapping=mapping)
    assert held("1") == {"shoe": Decimal("1041.5")}
