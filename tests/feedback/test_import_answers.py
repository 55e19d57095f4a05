"""Survey answers from other systems."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from common.models import Event
from crm.imports.mapping import Mapping
from crm.models import Customer, ImportBatch, ImportRange
from crm.services.import_undo import undo_import
from feedback.models import Invitation, Response, ResponseComment, Survey
from feedback.services import void_response
from tests.cast import NOON, make_customer
from tests.crm.imports.conftest import counts

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
Import = Callable[..., Any]
HEAD = "external_id,customer_id,kind,score,answered_at,survey,comment\n"


@pytest.fixture
def ann(db: None) -> Customer:
    return make_customer(external_id="ann", email="ann@customers.example")


def refused(outcome: Any) -> list[tuple[int, str, str]]:
    return [(one["line"], one["column"], one["reason"]) for one in outcome.rejects]


def test_answers_of_every_kind_come_in_with_words_and_without_an_invitation(
    imported: Import, ann: Customer
) -> None:
    outcome = imported(
        "survey_responses",
        HEAD
        + "r1,ann,nps,9,2025-05-01 10:00,,Great tea\n"
        + "r2,ann,CSAT,5,2025-05-02,After delivery,\n"
        + "r3,ann,ces,7,2025-05-03,,\n"
        + "r4,ann,intention,0,2025-05-04,,\n"
        + "r5,ann,stars,1,2025-05-05,,\n",
    )
    assert counts(outcome) == (5, 0, 0, 0)
    rows = Response.objects.order_by("external_id")
    assert list(rows.values_list("kind", "score", "survey__key", "customer")) == [
        ("nps", 9, "nps", ann.pk),
        ("csat", 5, "After delivery", ann.pk),
        ("ces", 7, "ces", ann.pk),
        ("intention", 0, "intention", ann.pk),
        ("stars", 1, "stars", ann.pk),
    ]
    assert rows[0].answered_at == datetime(2025, 5, 1, 10, 0, tzinfo=UTC)
    assert list(ResponseComment.objects.values_list("response__external_id", "text")) == [
        ("r1", "Great tea")
    ]
    assert not Invitation.objects.exists()
    assert not Event.objects.filter(kind="survey.answered").exists()
    made = {one.table for one in ImportRange.objects.all()}
    assert made == {"feedback.Response", "feedback.Survey"}


def test_the_same_answers_again_change_nothing(imported: Import, ann: Customer) -> None:
    text = HEAD + "r1,ann,nps,9,2025-05-01 10:00,,Great\nr2,ann,csat,5,2025-05-02,Tea,\n"
    imported("survey_responses", text)
    before = [list(Response.objects.values()), list(Survey.objects.values())]
    again = imported("survey_responses", text)
    assert counts(again) == (0, 0, 2, 0)
    assert [list(Response.objects.values()), list(Survey.objects.values())] == before


@pytest.mark.parametrize(
    ("kind", "score", "reason"),
    [
        ("nps", "11", "Scores of this kind go from 0 to 10."),
        ("csat", "0", "Scores of this kind go from 1 to 5."),
        ("ces", "8", "Scores of this kind go from 1 to 7."),
        ("stars", "6", "Scores of this kind go from 1 to 5."),
        ("nps", "7.5", "At most 0 decimals are allowed."),
        ("nps", "-1", "Enter a number from 0 to 2147483647."),
    ],
)
def test_a_score_off_its_scale_is_refused(
    imported: Import, ann: Customer, kind: str, score: str, reason: str
) -> None:
    outcome = imported("survey_responses", HEAD + f"r1,ann,{kind},{score},2025-05-01,,\n")
    assert refused(outcome) == [(2, "score", reason)]
    assert not Response.objects.exists()


def test_a_changed_answer_is_refused_and_the_known_one_stands(
    imported: Import, ann: Customer
) -> None:
    make_customer(external_id="bob")
    imported("survey_responses", HEAD + "".join(f"r{n},ann,nps,9,2025-05-01,,\n" for n in "1234"))
    outcome = imported(
        "survey_responses",
        HEAD
        + "r1,ann,nps,8,2025-05-01,,\n"
        + "r2,bob,nps,9,2025-05-01,,\n"
        + "r3,ann,intention,9,2025-05-01,,\n"
        + "r4,ann,nps,9,2025-05-02,,\n",
    )
    known = "This answer is known with {}; answers are never changed."
    assert counts(outcome) == (0, 0, 0, 4)
    assert refused(outcome) == [
        (2, "score", known.format(9)),
        (3, "customer_id", known.format("another customer")),
        (4, "kind", known.format("nps")),
        (5, "answered_at", known.format("2025-05-01 00:00:00")),
    ]
    assert set(Response.objects.values_list("score", "customer", "kind")) == {(9, ann.pk, "nps")}


def test_words_may_be_filled_in_later(imported: Import, ann: Customer) -> None:
    imported("survey_responses", HEAD + "r1,ann,nps,9,2025-05-01,,\n")
    outcome = imported("survey_responses", HEAD + "r1,ann,nps,9,2025-05-01,,Because of the lid\n")
    assert counts(outcome) == (0, 1, 0, 0)
    assert ResponseComment.objects.get().text == "Because of the lid"
    kept = imported(
        "survey_responses",
        HEAD + "r1,ann,nps,9,2025-05-01,,Other words\n",
        mapping=Mapping(overwrite="empty"),
    )
    assert counts(kept) == (0, 0, 1, 0)
    assert ResponseComment.objects.get().text == "Because of the lid"


def test_a_survey_measures_one_thing(imported: Import, ann: Customer) -> None:
    outcome = imported(
        "survey_responses",
        HEAD + "r1,ann,csat,4,2025-05-01,Tea,\nr2,ann,nps,4,2025-05-01,Tea,\n",
    )
    reason = "The survey Tea measures something else: csat."
    assert refused(outcome) == [(3, "survey", reason)]
    assert Survey.objects.get().kind == "csat"
    assert refused(imported("survey_responses", HEAD + "r3,ann,ces,4,2025-05-01,Tea,\n")) == [
        (2, "survey", reason)
    ]


def test_two_answers_with_one_id_are_refused_but_the_first(imported: Import, ann: Customer) -> None:
    outcome = imported(
        "survey_responses",
        HEAD
        + "r1,ann,nps,4,2025-05-01,,\nr1,ann,nps,5,2025-05-01,,\nr1,ann,nps,4,2025-05-01,,Hm\n",
    )
    assert counts(outcome) == (1, 0, 0, 1)
    assert refused(outcome) == [(3, "external_id", "Line 2 gives another answer with this id.")]
    assert ResponseComment.objects.get().text == "Hm"


def test_unknown_customers_and_kinds_are_refused(imported: Import, ann: Customer) -> None:
    outcome = imported(
        "survey_responses",
        HEAD + "r1,nobody,nps,4,2025-05-01,,\nr2,ann,mood,4,2025-05-01,,\nr3,ann,nps,,,,\n",
    )
    assert refused(outcome) == [
        (2, "customer_id", "There is no customer with this id."),
        (3, "kind", "Enter one of: nps, csat, ces, intention, stars."),
        (4, "answered_at", "Fill this in."),
        (4, "score", "Fill this in."),
    ]
    assert not Response.objects.exists()


def test_who_answered_may_be_known_by_email(imported: Import, ann: Customer) -> None:
    text = HEAD + "r1,ANN@customers.example,nps,4,2025-05-01,,\n"
    outcome = imported("survey_responses", text, mapping=Mapping(match_by="email"))
    assert counts(outcome) == (1, 0, 0, 0)
    assert Response.objects.get().customer == ann


def test_a_voided_answer_stays_voided(imported: Import, ann: Customer) -> None:
    text = HEAD + "r1,ann,nps,9,2025-05-01,,\n"
    imported("survey_responses", text)
    void_response(
        response_id=Response.objects.get().pk, reason="A test", happened_at=NOON, actor="user:1"
    )
    assert counts(imported("survey_responses", text)) == (0, 0, 1, 0)
    assert Response.objects.get().void.reason == "A test"


def test_taken_live_an_answer_stands_in_the_timeline(imported: Import, ann: Customer) -> None:
    imported("survey_responses", HEAD + "r1,ann,ces,6,2025-05-01,,\n", mode="live")
    event = Event.objects.get(kind="survey.answered")
    assert (event.customer_id, event.codes) == (ann.pk, {"kind": "ces", "score": 6})
    assert event.subject_ref == Response.objects.get().ref


def test_a_check_writes_nothing(imported: Import, ann: Customer) -> None:
    text = HEAD + "r1,ann,nps,9,2025-05-01,Tea,Good\nr2,ann,nps,99,2025-05-01,,\n"
    outcome = imported("survey_responses", text, is_dry_run=True)
    assert counts(outcome) == (1, 0, 0, 1)
    nothing = {"emails": 0, "points": 0, "tasks": 0}
    assert outcome.foreseen["consequences"] == {"history": nothing, "live": nothing}
    assert not Response.objects.exists()
    assert not Survey.objects.exists()


def test_undoing_takes_answers_and_filled_in_words_back(imported: Import, ann: Customer) -> None:
    imported("survey_responses", HEAD + "r1,ann,nps,9,2025-05-01,,\n")
    text = HEAD + "r1,ann,nps,9,2025-05-01,,Good\nr2,ann,nps,1,2025-05-01,,Bad\n"
    outcome = imported("survey_responses", text)
    assert counts(outcome) == (1, 1, 0, 0)
    batch = ImportBatch.objects.get(ref=outcome.batch)
    undo_import(batch=batch, actor="user:1", happened_at=NOON)
    assert list(Response.objects.values_list("external_id", flat=True)) == ["r1"]
    assert not ResponseComment.objects.exists()
    assert counts(imported("survey_responses", text)) == (1, 1, 0, 0)
