"""``import_data`` from the command line."""

import csv
import io
import json

import pytest
from django.core.management import CommandError, call_command

from common.models import Event
from crm.imports.rejects import read_rejects_file
from crm.management.commands.import_data import Command
from crm.models import Customer, ImportBatch, Order
from tests.cast import make_customer

pytestmark = pytest.mark.django_db


def run(*arguments):
    """Exit code and what stood on stdout."""
    out = io.StringIO()
    try:
        call_command("import_data", *map(str, arguments), stdout=out, stderr=io.StringIO())
    except SystemExit as error:
        return error.code, out.getvalue()
    except CommandError as error:
        return error.returncode, out.getvalue()
    return 0, out.getvalue()


def test_it_prints_one_json_document(csv_file):
    path = csv_file("external_id,name,shoe\n1,Ann,42\n2,Bob,43\n")

    code, out = run("customers", path, "--json")

    assert code == 0
    batch = ImportBatch.objects.get()
    assert json.loads(out) == {
        "kind": "customers",
        "mode": "history",
        "dry_run": False,
        "batch": batch.ref,
        "resumed": False,
        "rows": 2,
        "created": 2,
        "updated": 0,
        "unchanged": 0,
        "rejected": 0,
        "rejects": [],
        "ignored_columns": ["shoe"],
    }
    assert (batch.status, batch.rows_total, batch.created, batch.file_name) == (
        "done",
        2,
        2,
        "file.csv",
    )


def test_rejected_rows_make_exit_code_1_and_a_file(csv_file, tmp_path):
    path = csv_file('external_id,email\n1,a@example.org\n2,bad\n3,"b\x00d"\n')
    rejects = tmp_path / "rejects.csv"

    code, out = run("customers", path, "--json", "--rejects", rejects)

    assert code == 1
    assert json.loads(out)["rejected"] == 2
    with rejects.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["line"], row["column"], row["value"]) for row in rows] == [
        ("3", "email", "bad"),
        ("4", "email", "b\ufffdd"),
    ]
    assert all(row["reason"] for row in rows)
    assert ImportBatch.objects.get().rejected == 2


def test_no_value_in_the_file_of_rejects_is_a_formula(csv_file, tmp_path):
    path = csv_file("external_id,email,acquisition_cost\n1,=A1+1,-5\n2,@SUM(A1),+x\n")
    rejects = tmp_path / "rejects.csv"

    run("customers", path, "--rejects", rejects)

    with rejects.open(encoding="utf-8", newline="") as file:
        values = [row["value"] for row in csv.DictReader(file)]
    assert sorted(values) == ["'+x", "'=A1+1", "'@SUM(A1)", "-5"]
    told = sorted(value for _line, _column, value, _reason in read_rejects_file(rejects))
    assert told == ["+x", "-5", "=A1+1", "@SUM(A1)"]


def test_a_dry_run_counts_and_writes_nothing(csv_file, settings):
    make_customer(external_id="1", name="Ann")
    path = csv_file("external_id,name\n1,Anna\n2,Bob\n3,\n,\n,Nobody\n")
    events = Event.objects.count()

    code, out = run("customers", path, "--json", "--dry-run")

    answer = json.loads(out)
    assert (code, answer["created"], answer["updated"], answer["rejected"]) == (1, 2, 1, 1)
    assert answer["batch"] is None
    assert ImportBatch.objects.count() == 0
    assert Event.objects.count() == events
    assert list(Customer.objects.values_list("name", flat=True)) == ["Ann"]
    assert not settings.KEEPWELL_DATA_DIR.exists()


def test_live_orders_are_entered_live(csv_file):
    make_customer(external_id="1")
    path = csv_file("order_id,customer_id,ordered_at,amount\no1,1,2024-01-01,5\n")

    assert run("orders", path, "--live")[0] == 0

    assert Order.objects.get().entry == "live"


def test_a_wrong_header_is_refused_with_exit_code_1(csv_file):
    code, out = run("customers", csv_file("name\nAnn\n"), "--json")

    assert code == 1
    assert json.loads(out)["code"] == "import_unreadable"
    assert "external_id" in json.loads(out)["title"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["customers", "no-such-file.csv"],
        ["customers", "{file}", "--mapping", "no-such-file.json"],
        ["customers", "{file}", "--rejects", "/no/such/folder/rejects.csv"],
    ],
)
def test_a_file_that_is_not_there_has_exit_code_2(csv_file, arguments):
    path = str(csv_file("external_id\n1\n"))

    assert run(*[text.replace("{file}", path) for text in arguments])[0] == 2

    assert Customer.objects.count() == 0


@pytest.mark.parametrize(
    "arguments", [["unicorns", "f.csv"], ["customers"], ["customers", "f", "--live", "--history"]]
)
def test_a_command_line_that_makes_no_sense_has_exit_code_2(arguments):
    command = Command()
    command._called_from_command_line = True
    parser = command.create_parser("manage.py", "import_data")

    with pytest.raises(SystemExit) as refusal:
        parser.parse_args(arguments)

    assert refusal.value.code == 2
