"""HubSpot, the CDNOW data set, and a spreadsheet with our own names."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from crm.imports.detection import Findings
from crm.imports.mapping import Mapping, ValueMap
from crm.imports.presets.base import Preset
from crm.imports.sources.csv_rows import BLANKS

DAY = "%Y%m%d"


def _is_cdnow(width: int, findings: Findings) -> bool:
    """Whether every column holds numbers, between blanks, and the last but two are days."""
    return (
        not findings.has_header
        and findings.delimiter == BLANKS
        and len(findings.header) == width
        and findings.date_formats == [DAY]
        and str(width - 2) in findings.date_columns
    )


def _cdnow(key: str, label: str, width: int) -> Preset:
    return Preset(
        key=key,
        kind="orders",
        label=label,
        marks=frozenset(str(number) for number in range(1, width + 1)),
        mapping=Mapping(
            columns={
                "1": "customer_id",
                str(width - 2): "ordered_at",
                str(width): "amount",
            },
            has_header=False,
            delimiter=BLANKS,
            date_format=DAY,
            number_orders=True,
            create_missing=True,
        ),
        note=_("Purchases in an online shop in 1997 and 1998, in dollars."),
        looks=lambda findings: _is_cdnow(width, findings),
    )


PRESETS = [
    Preset(
        key="hubspot_contacts",
        kind="customers",
        label=_("HubSpot: contacts"),
        marks=frozenset({"Record ID", "First Name", "Last Name", "Email"}),
        mapping=Mapping(
            columns={
                "Record ID": "external_id",
                "First Name + Last Name": "name",
                "Email": "email",
                "Phone Number | Mobile Phone Number": "phone",
                "City": "city",
                "Country/Region | Country": "country",
                "Preferred language": "language",
                "Create Date": "acquired_at",
                "Original Source | Original Traffic Source | Lead Source": "source",
                "Industry": "industry",
                "Unsubscribed from all email": "marketing_consent",
            },
            values={
                "marketing_consent": ValueMap({"true": "no", "yes": "no", "*": ""}),
            },
        ),
        note=_("Who unsubscribed does not get offers. Nobody's consent follows from this export."),
    ),
    _cdnow("cdnow", "CDNOW (master)", 4),
    _cdnow("cdnow_sample", "CDNOW (sample)", 5),
    Preset(
        key="spreadsheet_customers",
        kind="customers",
        label=_("Spreadsheet: customers"),
        marks=frozenset({"external_id", "name"}),
        mapping=Mapping(),
    ),
    Preset(
        key="spreadsheet_products",
        kind="products",
        label=_("Spreadsheet: products"),
        marks=frozenset({"sku", "name", "price"}),
        mapping=Mapping(),
    ),
    Preset(
        key="spreadsheet_orders",
        kind="orders",
        label=_("Spreadsheet: orders"),
        marks=frozenset({"order_id", "customer_id", "ordered_at"}),
        mapping=Mapping(),
    ),
]
