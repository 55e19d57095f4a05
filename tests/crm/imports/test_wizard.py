"""The pages of imports: upload, match, check, mend, history or live, run, result."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import User
from common.models import Event
from common.time import now
from crm.imports.batches import imports_folder
from crm.models import Customer, ImportBatch, ImportSource, Location, Order
from crm.privacy.uploads import ERASED_NOTICE
from crm.selectors.import_matching import match_of, own_columns
from crm.selectors.imports import mapping_of
from crm.services.import_sweep import sweep_imports
from crm.services.import_uploads import stored_path
from tests.budget import assert_query_budget
from tests.cast import make_customer, make_location, make_order
from tests.crm.imports.uploads import PEOPLE, make_checked, make_done_import, make_upload

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
SALES = "order_id,customer_id,ordered_at,amount,location\n1,C-1,2026-02-01,10.50,{}\n"
MANY_ZEROS = 60_000_000
CDNOW = (
    b" 00001 19970101  1   11.77\r\n 00002 19970112  1   12.00\r\n 00002 19970112  5   77.00\r\n"
)


@pytest.fixture
def browser(client_for: Callable[[User | None], Client], mara: User) -> Client:
    return client_for(mara)


def uploaded(browser: Client, content: str | bytes, name: str = "file.csv", kind: str = "") -> Any:
    data = content if isinstance(content, bytes) else content.encode()
    return browser.post("/imports/new/", {"file": SimpleUploadedFile(name, data), "kind": kind})


def only_batch() -> ImportBatch:
    return ImportBatch.objects.get(file_digest__gt="")


def uploads() -> list[str]:
    return sorted(path.name for path in (imports_folder() / "uploads").glob("*"))


def test_a_file_goes_from_upload_to_its_result(browser: Client, mara: User) -> None:
    answer = uploaded(browser, PEOPLE, "people.csv")
    batch = only_batch()
    page = f"/imports/{batch.ref}/"
    assert answer["Location"] == f"{page}match/"
    assert (batch.kind, batch.status, batch.actor) == ("customers", "uploaded", f"user:{mara.pk}")
    assert batch.mapping["columns"] == {"external_id": "external_id", "name": "name"}
    assert browser.get(page)["Location"] == f"{page}match/"

    answer = browser.post(f"{page}match/", matched(batch, action="check"))
    assert answer["Location"] == f"{page}check/"
    assert "Nothing is written" in browser.get(f"{page}check/").text
    assert not Customer.objects.exists()

    assert sweep_imports(now()) == 1
    found = browser.get(f"{page}check/").context["found"]
    assert (found["created"], found["rejected"]) == (2, 0)
    assert not Customer.objects.exists()

    start = browser.get(f"{page}start/")
    assert "Will send 0 emails, award 0 points." in start.text
    assert start.context["form"].initial == {"mode": "history"}
    assert browser.post(f"{page}start/", {"mode": "history"})["Location"] == page
    assert browser.get(f"{page}status/").status_code == 200
    sweep_imports(now())

    assert browser.get(f"{page}status/").headers["HX-Refresh"] == "true"
    batch.refresh_from_db()
    assert (batch.status, batch.mode, batch.created) == ("done", "history", 2)
    assert set(Customer.objects.values_list("external_id", flat=True)) == {"C-1", "C-2"}
    assert "Undo this import" in browser.get(page).text


def matched(batch: ImportBatch, **changes: str) -> dict[str, Any]:
    """What the form of the second step sends if nothing is changed in it."""
    match = match_of(stored_path(batch), batch.kind, mapping_of(batch))
    return {
        "kind": batch.kind,
        "theirs": [column.theirs for column in match.columns],
        "ours": [column.ours for column in match.columns],
        "source": batch.source,
    } | changes


def test_every_page_keeps_the_query_budget(browser: Client, settings: Any) -> None:
    make_location(code="north")
    done = make_done_import()
    waiting = make_checked(SALES.format("nowhere"))
    for path in ("", "new/", f"{done.ref}/", f"{done.ref}/totals/"):
        assert_query_budget(browser, f"/imports/{path}")
    for path in ("match/", "check/", "start/"):
        assert_query_budget(browser, f"/imports/{waiting.ref}/{path}")


@pytest.mark.parametrize("who", ["stan", "ana"])
def test_whoever_serves_or_reads_figures_does_not_import(
    who: str, client_for: Any, request: pytest.FixtureRequest
) -> None:
    batch = make_upload()
    other = client_for(request.getfixturevalue(who))
    for path in ("", "new/", f"{batch.ref}/", f"{batch.ref}/match/", f"{batch.ref}/rejects.csv"):
        assert other.get(f"/imports/{path}").status_code == 403, path
    assert uploaded(other, PEOPLE).status_code == 403
    assert other.post(f"/imports/{batch.ref}/cancel/").status_code == 403
    assert 'href="/imports/"' not in other.get("/").text
    batch.refresh_from_db()
    assert batch.status == "uploaded"
    assert ImportBatch.objects.count() == 1


def bomb() -> bytes:
    """A workbook of 60 kB that unpacks to 60 MB."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("[Content_Types].xml", b"0" * MANY_ZEROS)
        parts.writestr("xl/workbook.xml", b"<workbook/>")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"\x00\x01\x02\xff\xfe" * 500,
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20,
        b"%PDF-1.7\n" + bytes(range(256)) * 20,
        b"PK\x03\x04 and no more",
        ",".join(f"c{n}" for n in range(5_000)).encode() + b"\n",
        b"a,a\n1,2\n",
    ],
    ids=["empty", "blank", "binary", "picture", "pdf", "broken zip", "huge header", "twice"],
)
def test_rubbish_is_refused_with_a_reason_and_nothing_of_it_stays(
    browser: Client, content: bytes
) -> None:
    answer = uploaded(browser, content)
    assert answer.status_code == 422
    form = answer.context["form"]
    assert form.errors, answer.text
    assert not ImportBatch.objects.exists()
    assert uploads() == []


def test_a_workbook_that_unpacks_to_too_much_is_refused(browser: Client, settings: Any) -> None:
    settings.KEEPWELL_IMPORT_MAX_BYTES = 10_000_000
    answer = uploaded(browser, bomb(), "bomb.xlsx")
    assert answer.status_code == 422
    assert uploads() == []


def test_a_file_over_the_limit_is_refused(browser: Client, settings: Any) -> None:
    settings.KEEPWELL_IMPORT_MAX_BYTES = 2_000
    answer = uploaded(browser, PEOPLE + "x" * 3_000)
    assert answer.status_code in (422, 413, 400)
    assert uploads() == []
    assert not ImportBatch.objects.exists()


def test_a_file_of_another_kind_than_said_asks_for_its_columns(browser: Client) -> None:
    uploaded(browser, PEOPLE, kind="rates")
    batch = only_batch()
    page = browser.get(f"/imports/{batch.ref}/match/")
    assert batch.kind == "rates"
    assert "Still to be matched" in page.context["reason"]
    answer = browser.post(f"/imports/{batch.ref}/match/", matched(batch, action="check"))
    assert answer.status_code == 422
    batch.refresh_from_db()
    assert batch.status == "uploaded"


def test_what_is_changed_is_read_anew_side_by_side_and_kept(browser: Client) -> None:
    text = "Nr;Kunde;Datum;Summe\n1;C-1;05.02.2026;1.234,50\n2;C-2;13.02.2026;7,25\n"
    batch = make_upload(text)
    columns = {"Nr": "order_id", "Kunde": "customer_id", "Datum": "ordered_at", "Summe": "amount"}
    sent = {"kind": "orders", "theirs": list(columns), "ours": list(columns.values())}
    path = f"/imports/{batch.ref}/match/"
    if batch.kind != "orders":
        browser.post(path, sent, headers={"HX-Request": "true"})
    piece = browser.post(path, sent, headers={"HX-Request": "true"})
    assert piece.status_code == 200
    assert "<html" not in piece.text
    by_name = {column.theirs: column for column, _options in piece.context["columns"]}
    assert [cell.theirs for cell in by_name["Summe"].cells] == ["1.234,50", "7,25"]
    assert [cell.ours for cell in by_name["Summe"].cells] == ["1,234.50", "7.25"]
    assert by_name["Datum"].cells[0].ours.startswith("5 February 2026")

    piece = browser.post(path, sent | {"date_format": "%m/%d/%Y"}, headers={"HX-Request": "true"})
    by_name = {column.theirs: column for column, _options in piece.context["columns"]}
    assert by_name["Datum"].cells[0].reason
    batch.refresh_from_db()
    assert batch.mapping["date_format"] == "%m/%d/%Y"
    assert batch.mapping["decimal_comma"] is True


def test_an_unknown_shop_is_mended_in_place_without_touching_the_file(
    browser: Client, mara: User
) -> None:
    make_customer(external_id="C-1")
    make_location(code="north", name="North")
    text = SALES.format("Nord") + "2,C-1,2026-02-02,5,Süd\n3,C-1,2026-02-03,6,Nord\n"
    batch = make_checked(text)
    page = browser.get(f"/imports/{batch.ref}/check/")
    [problem] = page.context["mending"].problems
    assert (problem.by, problem.problem.count) == ("shop", 3)
    assert problem.problem.values == [("Nord", 2), ("Süd", 1)]

    sent = {"column": ["location"] * 2, "theirs": ["Nord", "Süd"], "instead": ["north", "+make"]}
    browser.post(f"/imports/{batch.ref}/mend/", sent)
    sweep_imports(now())

    batch.refresh_from_db()
    assert (batch.checked["created"], batch.checked["rejected"]) == (3, 0)
    assert batch.mapping["values"] == {"location": {"Nord": "north"}}
    assert Location.objects.filter(code="Süd").exists()
    assert not Order.objects.exists()


def test_whom_nobody_knows_is_offered_to_be_made_once(browser: Client) -> None:
    head = "order_id,customer_id,ordered_at,sku,quantity,unit_price\n"
    batch = make_checked(head + "1,C-1,2026-02-01,T-1,1,5\n2,,2026-02-01,T-2,1,5\n")
    page = browser.get(f"/imports/{batch.ref}/check/")
    assert page.text.count('name="create_missing"') == 1
    assert page.text.count("btn-primary") == 1  # to mend, since nothing could be imported
    browser.post(f"/imports/{batch.ref}/mend/", {"create_missing": "yes"})
    sweep_imports(now())
    page = browser.get(f"/imports/{batch.ref}/check/")
    assert (page.context["found"]["created"], page.context["found"]["rejected"]) == (1, 1)
    assert "create_missing" not in page.text


def test_why_an_import_ended_is_told_in_words(browser: Client) -> None:
    batch = make_done_import()
    for error, words in (
        ("KeyError", "Something went wrong on our side"),
        (ERASED_NOTICE, "names somebody who was erased"),
    ):
        ImportBatch.objects.filter(pk=batch.pk).update(status="failed", error=error)
        page = browser.get(f"/imports/{batch.ref}/").text
        assert words in page
        assert "KeyError" not in page


def test_a_form_that_was_tampered_with_mends_nothing(browser: Client) -> None:
    batch = make_checked(SALES.format("nowhere"))
    for sent in (
        {"column": ["no_such"], "theirs": ["x"], "instead": ["y"]},
        {"column": ["location", "location"], "theirs": ["x"], "instead": ["y"]},
    ):
        browser.post(f"/imports/{batch.ref}/mend/", sent)
        batch.refresh_from_db()
        assert "values" not in batch.mapping


def test_a_mapping_is_remembered_under_its_name_and_offered_for_the_next_file(
    browser: Client,
) -> None:
    text = "Wer;Nummer;Ort\nAnna;C-1;Bern\n"
    batch = make_upload(text)
    page = f"/imports/{batch.ref}/"
    columns = {
        "theirs": ["Wer", "Nummer", "Ort"],
        "ours": ["name", "external_id", ""],
        "source": "Old till",
    }
    browser.post(f"{page}match/", {"kind": "customers", **columns})
    browser.post(f"{page}match/", {"kind": "customers", **columns, "action": "check"})
    sweep_imports(now())
    browser.post(f"{page}start/", {"mode": "history"})
    assert ImportSource.objects.get().name == "Old till"

    uploaded(browser, "Wer;Nummer;Ort\nZoe;C-9;Chur\n")
    latest = ImportBatch.objects.latest("id")
    assert latest.source == "Old till"
    assert latest.mapping["columns"] == {"Nummer": "external_id", "Ort": "", "Wer": "name"}
    page = browser.get(f"/imports/{latest.ref}/match/")
    assert "Read like Old till." in page.text
    assert "a guess" not in page.text


def test_columns_put_together_of_others_do_not_tell_a_file_from_the_next() -> None:
    names = ["Last", "", "First", "First + Last", "SKU | Name", "Name"]
    assert own_columns(names) == ["First", "Last", "Name", "SKU | Name"]


def test_rejected_rows_are_given_out_with_reasons_and_as_they_stand_in_the_file(
    browser: Client,
) -> None:
    text = "external_id,name,language\nC-1,Anna,en\nC-3,Al,en\nC-2,=Bo,Klingon!\n"
    batch = make_done_import(text)
    assert (batch.created, batch.rejected) == (2, 1)
    rejects = b"".join(browser.get(f"/imports/{batch.ref}/rejects.csv")).decode("utf-8-sig")
    assert rejects.splitlines()[0] == "line,column,value,reason"
    assert rejects.splitlines()[1].startswith("4,language,Klingon!,")
    rows = b"".join(browser.get(f"/imports/{batch.ref}/rejected-rows.csv")).decode("utf-8-sig")
    assert rows.splitlines() == ["external_id,name,language", "C-2,'=Bo,Klingon!"]


def test_nothing_is_started_that_was_not_checked_as_it_is_read_now(browser: Client) -> None:
    batch = make_checked()
    browser.post(f"/imports/{batch.ref}/match/", matched(batch))  # read anew
    answer = browser.post(f"/imports/{batch.ref}/start/", {"mode": "live"})
    assert answer["Location"] == f"/imports/{batch.ref}/"
    batch.refresh_from_db()
    assert (batch.status, batch.checked) == ("uploaded", {})


def test_a_waiting_import_is_thrown_away_with_its_file(
    browser: Client, django_capture_on_commit_callbacks: Any
) -> None:
    batch = make_upload()
    with django_capture_on_commit_callbacks(execute=True):
        answer = browser.post(f"/imports/{batch.ref}/cancel/")
    assert answer["Location"] == "/imports/"
    assert uploads() == []
    batch.refresh_from_db()
    assert (batch.status, batch.stored_as) == ("stopped", "")
    assert batch.ref not in browser.get("/imports/").text


def test_an_import_is_undone_by_its_button(browser: Client) -> None:
    batch = make_done_import()
    browser.post(f"/imports/{batch.ref}/undo/")
    sweep_imports(now())
    batch.refresh_from_db()
    assert batch.status == "undone"
    assert not Customer.objects.exists()
    assert "Undo this import" not in browser.get(f"/imports/{batch.ref}/").text


def test_an_import_that_somebody_built_on_says_why_it_stays(browser: Client) -> None:
    batch = make_done_import()
    make_order(customer=Customer.objects.get(external_id="C-1"))
    page = browser.get(f"/imports/{batch.ref}/")
    assert page.context["reasons"]
    assert "Undo this import" not in page.text
    browser.post(f"/imports/{batch.ref}/undo/")
    batch.refresh_from_db()
    assert batch.status == "done"


def test_a_file_with_a_password_or_of_another_program_is_named(browser: Client) -> None:
    locked = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(2_000)
    for content, words in ((locked, "with a password"), (b"\x89PNG\r\n\x1a\n", "no table")):
        form = uploaded(browser, content, "file.xlsx").context["form"]
        assert words in " ".join(form.non_field_errors())
    assert uploads() == []


def test_as_many_columns_are_matched_as_a_file_may_have(browser: Client) -> None:
    names = ["external_id", "name", *(f"c{number}" for number in range(600))]
    uploaded(browser, ",".join(names) + "\nC-1,Anna" + ",1" * 600 + "\n", kind="customers")
    batch = only_batch()
    answer = browser.post(f"/imports/{batch.ref}/match/", matched(batch, action="check"))
    assert answer["Location"] == f"/imports/{batch.ref}/check/"


def test_a_file_without_rows_leads_to_another_one(browser: Client) -> None:
    batch = make_checked("external_id,name\n")
    page = browser.get(f"/imports/{batch.ref}/check/").text
    assert "The file has no rows below the names of its columns." in page
    assert "/start/" not in page


def test_what_was_recognised_is_said_and_none_of_it_is_a_guess(browser: Client) -> None:
    batch = make_upload(CDNOW, name="CDNOW_master.txt")
    page = browser.get(f"/imports/{batch.ref}/match/")
    assert "Read like CDNOW (master)." in page.text
    assert page.context["form"]["like"].value() == "preset:cdnow"
    assert "a guess" not in page.text
    sent = matched(batch, like="", was_like="preset:cdnow")
    piece = browser.post(f"/imports/{batch.ref}/match/", sent, headers={"HX-Request": "true"})
    assert "Read like" not in piece.text


def test_customers_made_beside_purchases_are_told_before_and_afterwards(browser: Client) -> None:
    batch = make_checked(CDNOW)
    page = browser.get(f"/imports/{batch.ref}/check/")
    assert page.context["created_label"] == "Purchases created"
    assert page.context["also_made"] == [("Customers created", 2)]
    browser.post(f"/imports/{batch.ref}/start/", {"mode": "history"})
    sweep_imports(now())
    page = browser.get(f"/imports/{batch.ref}/")
    assert page.context["batch"].created == 3
    assert page.context["also_made"] == [("Customers created", 2)]
    assert page.text.count("btn-primary") == 1
    assert page.text.index("See retention") < page.text.index("Import next")
    totals = browser.get(f"/imports/{batch.ref}/totals/").context["sides"]
    assert [side.customers for side in totals] == [2, 2, 2]


def test_undoing_is_asked_once_more(browser: Client) -> None:
    page = browser.get(f"/imports/{make_done_import().ref}/").text
    assert "2 records made by this import will be deleted." in page
    assert page.index("Undo this import") < page.index("Yes, undo it")


def test_totals_of_customers_and_of_other_currencies_are_shown(browser: Client) -> None:
    people = make_done_import()
    page = browser.get(f"/imports/{people.ref}/totals/")
    assert [side.customers for _label, side in page.context["named_sides"]] == [2, 2, 2]
    head = "order_id,customer_id,ordered_at,amount,currency\n"
    abroad = make_done_import(head + "1,C-1,2026-02-01,10.50,CHF\n2,C-1,2026-02-01,4,USD\n")
    page = browser.get(f"/imports/{abroad.ref}/totals/")
    [(currency, sides)] = [(row["currency"], row["sides"]) for row in page.context["foreign"]]
    assert (currency, [side.orders for side in sides]) == ("CHF", [1, 1, 1])


@pytest.mark.parametrize(
    ("language", "month"),
    [("en", "Feb 2026"), ("ru", "Февраль 2026"), ("zh-hans", "2026年2月")],
)
def test_months_to_compare_are_called_as_people_call_them(
    browser: Client, mara: User, language: str, month: str
) -> None:
    make_customer(external_id="C-1")
    done = make_done_import("order_id,customer_id,ordered_at,amount\n1,C-1,2026-02-01,10\n")
    mara.language = language
    mara.save()
    page = browser.get(f"/imports/{done.ref}/totals/").text
    assert f'<th scope="row" class="fw-normal text-nowrap">{month}' in page
    assert "2026-02" not in page


def test_a_file_that_vanished_is_told_at_every_step(browser: Client) -> None:
    batch = make_checked()
    page = f"/imports/{batch.ref}/"
    stored_path(batch).unlink()
    assert browser.get(f"{page}match/")["Location"] == "/imports/"
    answer = browser.post(f"{page}start/", {"mode": "history"})
    assert "not kept any more" in answer.text
    assert browser.post(f"{page}recheck/").status_code == 302
    batch.refresh_from_db()
    assert batch.status == "uploaded"

    ImportBatch.objects.filter(pk=batch.pk).update(status="queued")
    sweep_imports(now())
    batch.refresh_from_db()
    assert (batch.status, batch.created) == ("failed", 0)
    assert "The uploaded file is gone" in browser.get(page).text
    assert browser.get(f"{page}rejected-rows.csv").status_code == 409


def test_two_tabs_at_different_steps_and_double_clicks_do_no_harm(browser: Client) -> None:
    batch = make_upload()
    page = f"/imports/{batch.ref}/"
    check = matched(batch, action="check")
    for _again in range(2):
        answer = browser.post(f"{page}match/", check, follow=True)
        assert answer.redirect_chain[-1][0] == f"{page}check/"
    answer = browser.post(f"{page}mend/", {"date_format": ""}, follow=True)
    assert list(answer.context["messages"]) == []
    sweep_imports(now())
    for _again in range(2):
        assert browser.post(f"{page}start/", {"mode": "history"})["Location"] == page
    assert Event.objects.filter(kind="import.started", subject_ref=batch.ref).count() == 1

    piece = browser.post(f"{page}match/", check, headers={"HX-Request": "true"})
    assert piece.headers["HX-Redirect"].endswith(page)
    for path in ("match/", "check/", "start/"):
        assert browser.get(f"{page}{path}")["Location"] == page
    browser.post(f"{page}mend/", {"date_format": "%d.%m.%Y"})
    browser.post(f"{page}recheck/")
    sweep_imports(now())
    batch.refresh_from_db()
    assert (batch.status, batch.created) == ("done", 2)
    for path in ("cancel/", "pause/", "resume/"):
        assert browser.post(f"{page}{path}")["Location"] == page
    batch.refresh_from_db()
    assert batch.status == "done"
