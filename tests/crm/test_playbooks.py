"""Service standards: drafts, versions that never change, what starts them, ready ones."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import DatabaseError, transaction
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InvalidInput
from common.models import Event
from crm.clocks import Hours
from crm.models import Playbook, PlaybookVersion, Run, Step
from crm.selectors.playbooks import get_version, history_of, versions_in_force
from crm.services.playbooks import (
    DraftChangedMeanwhile,
    DraftUnchanged,
    NeverPublished,
    NoDraft,
    create_playbook,
    discard_draft,
    open_draft,
    publish_playbook,
    save_draft,
    switch_playbook,
)
from crm.services.ready_standards import install_ready_standards
from crm.services.run_steps import do_step
from crm.standards.comparison import compare
from crm.standards.content import Content, content_of
from crm.standards.due import step_due_at
from crm.standards.offsets import UNITS, offset_text, split_offset
from crm.standards.ready import READY
from crm.standards.triggers import register_trigger, triggers
from crm.standards.wording import text_in
from tests.cast import ACTOR, NOON
from tests.crm.standards import DAY, HOUR, content, make_playbook, make_run, publish_again, step

HAPPENING = {"happened_at": NOON, "actor": ACTOR}


@pytest.mark.django_db
def test_a_draft_becomes_a_version_and_the_next_draft_begins_with_it():
    playbook = create_playbook(content=content(step("Call", guidance={"en": "How"})), **HAPPENING)
    assert playbook.current is None

    version = publish_playbook(playbook_id=playbook.pk, **HAPPENING)
    playbook.refresh_from_db()

    assert (playbook.current, playbook.draft) == (version, None)
    assert (version.number, version.names, version.author) == (1, {"en": "Care"}, ACTOR)
    assert [(one.position, one.titles) for one in version.steps.all()] == [(1, {"en": "Call"})]
    open_draft(playbook_id=playbook.pk, **HAPPENING)
    playbook.refresh_from_db()
    assert Content.from_document(playbook.draft) == content_of(version)


@pytest.mark.django_db
def test_editing_makes_a_new_version_and_a_run_keeps_its_own_for_ever():
    playbook = make_playbook(step("Old wording"))
    run = make_run(playbook=playbook)

    publish_again(playbook, content(step("New wording"), step("One more")))

    later = make_run(playbook=playbook)
    assert [one.step.titles["en"] for one in run.results.all()] == ["Old wording"]
    assert [one.step.titles["en"] for one in later.results.order_by("step__position")] == [
        "New wording",
        "One more",
    ]
    assert (run.version.number, later.version.number) == (1, 2)
    do_step(run_id=run.pk, position=1, role="staff", **HAPPENING)
    run.refresh_from_db()
    assert (run.state, run.version.number) == (Run.State.COMPLETED, 1)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        lambda version: PlaybookVersion.objects.filter(pk=version.pk).update(names={"en": "x"}),
        lambda version: version.steps.update(is_required=False),
        lambda version: version.steps.all().delete(),
        lambda version: Step.objects.filter(version=version).update(offset_minutes=5),
    ],
)
def test_the_database_refuses_to_change_what_was_published(change):
    version = make_playbook().current
    before = content_of(version)

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        change(version)

    assert content_of(PlaybookVersion.objects.get(pk=version.pk)) == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("draft", "says"),
    [
        (Content(), ["name", "at least one step"]),
        (Content(names={"en": "A"}, steps=(step(""),)), ["Step 1: give it a title"]),
        (content(step(offset_minutes=0)), ["Step 1: give a time"]),
        (content(step(role="customer")), ["Step 1: choose role"]),
        (content(step(done_when="magic")), ["Step 1: choose role"]),
        (content(trigger="moon.full"), ["starts standards that way"]),
        (content(*[step()] * 41), ["At most 40 steps"]),
    ],
)
def test_an_incomplete_draft_is_kept_but_not_published(draft, says):
    playbook = create_playbook(content=draft, **HAPPENING)

    with pytest.raises(InvalidInput) as refusal:
        publish_playbook(playbook_id=playbook.pk, **HAPPENING)

    found = refusal.value.fields["draft"]
    assert len(found) == len(says)
    assert all(part in text for part, text in zip(says, found, strict=True))
    playbook.refresh_from_db()
    assert playbook.current is None
    assert playbook.draft is not None


@pytest.mark.django_db
def test_publishing_needs_a_draft_that_says_something_new():
    playbook = make_playbook()
    with pytest.raises(NoDraft):
        publish_playbook(playbook_id=playbook.pk, **HAPPENING)
    open_draft(playbook_id=playbook.pk, **HAPPENING)
    with pytest.raises(DraftUnchanged):
        publish_playbook(playbook_id=playbook.pk, **HAPPENING)
    assert playbook.versions.count() == 1


@pytest.mark.django_db
def test_two_who_edit_at_once_dont_write_over_each_other():
    playbook = open_draft(playbook_id=make_playbook().pk, **HAPPENING)
    found = playbook.draft_at
    later = {"happened_at": NOON + timedelta(minutes=1), "actor": ACTOR}
    save_draft(playbook_id=playbook.pk, content=content(name="Hers"), opened_at=found, **later)

    with pytest.raises(DraftChangedMeanwhile):
        save_draft(playbook_id=playbook.pk, content=content(name="His"), opened_at=found, **later)

    playbook.refresh_from_db()
    assert playbook.draft["names"] == {"en": "Hers"}


@pytest.mark.django_db
def test_a_draft_is_thrown_away_unless_it_is_all_there_is():
    playbook = open_draft(playbook_id=make_playbook().pk, **HAPPENING)
    discard_draft(playbook_id=playbook.pk, **HAPPENING)
    playbook.refresh_from_db()
    assert playbook.draft is None
    only_draft = create_playbook(content=Content(), **HAPPENING)
    with pytest.raises(NeverPublished):
        discard_draft(playbook_id=only_draft.pk, **HAPPENING)


@pytest.mark.django_db
def test_the_history_says_who_did_what_to_a_standard():
    playbook = make_playbook()
    switch_playbook(playbook_id=playbook.pk, is_active=False, happened_at=NOON, actor="user:7")
    told = [(event.kind, event.actor) for event in history_of(playbook)]
    assert sorted(told) == [
        ("playbook.drafted", ACTOR),
        ("playbook.published", ACTOR),
        ("playbook.switched_off", "user:7"),
    ]


@pytest.mark.django_db
def test_a_draft_alone_is_not_switched_on():
    playbook = create_playbook(content=content(), **HAPPENING)
    with pytest.raises(NeverPublished):
        switch_playbook(playbook_id=playbook.pk, is_active=True, **HAPPENING)


@pytest.mark.django_db
def test_names_read_in_the_readers_language_and_fall_back():
    playbook = make_playbook()
    playbook.current.names = {"en": "Care", "ru": "Забота"}
    with translation.override("ru"):
        assert playbook.name == "Забота"
    with translation.override("zh-hans"):
        assert playbook.name == "Care"
    assert text_in({"zh-hans": "关怀"}, "ru") == "关怀"
    assert text_in({}, "ru") == ""


@pytest.mark.django_db
def test_versions_in_force_of_a_period_are_those_that_held_or_were_followed():
    month = timedelta(days=30)
    playbook = make_playbook(step("One"), at=NOON)
    run = make_run(playbook=playbook, at=NOON)
    for number, title in ((2, "Two"), (3, "Three")):
        happening = {"happened_at": NOON + (number - 1) * month, "actor": ACTOR}
        save_draft(playbook_id=playbook.pk, content=content(step(title)), **happening)
        publish_playbook(playbook_id=playbook.pk, **happening)

    def numbers(since, until):
        return [one.number for one in versions_in_force(NOON + since, NOON + until)]

    day = timedelta(days=1)
    assert numbers(-day, timedelta(0)) == []
    assert numbers(timedelta(0), day) == [1]
    assert numbers(month + day, month + 2 * day) == [1, 2]  # 1: its run is still open
    do_step(run_id=run.pk, position=1, role="staff", happened_at=NOON + day, actor=ACTOR)
    assert numbers(month + day, month + 2 * day) == [2]
    assert numbers(timedelta(0), 3 * month) == [1, 2, 3]


@pytest.mark.django_db
def test_three_ready_standards_come_in_three_languages_once():
    first = install_ready_standards(**HAPPENING)
    assert [one.key for one in first] == ["new-customer", "complaint", "wants-to-leave"]
    assert install_ready_standards(**HAPPENING) == []
    assert Playbook.objects.count() == 3
    starts = {one.key: one.current.trigger for one in Playbook.objects.select_related("current")}
    assert starts == {
        "new-customer": "customer.recorded",
        "complaint": "complaint.opened",
        "wants-to-leave": "cancel_request.opened",
    }
    for key, ready in READY.items():
        assert content_of(get_version(Playbook.objects.get(key=key), 1)) == ready
        for texts in (ready.names, ready.purposes):
            assert set(texts) == {"en", "ru", "zh-hans"}
        assert len({one.five_p for one in ready.steps}) >= 4
        for one in ready.steps:
            assert set(one.titles) == set(one.guidance) == {"en", "ru", "zh-hans"}


def test_any_app_registers_what_can_start_a_standard():
    assert {"customer.recorded", "cancel_request.opened", "complaint.opened"} <= set(triggers)
    register_trigger("card.lost", "when a card is lost")
    try:
        assert content(trigger="card.lost").refusals() == []
    finally:
        triggers.pop("card.lost", None)


def test_a_comparison_names_each_change_once():
    before = content(
        step("Call", guidance={"en": "Softly"}), step("Write"), step("Gone"), name="Care"
    )
    after = content(
        step("Write"),
        step("Call", guidance={"en": "Loudly"}, offset_minutes=2 * HOUR, is_required=False),
        step("Visit"),
        name="Care and more",
        trigger="customer.recorded",
    )
    found = compare(before, after)

    assert [(str(one.what), one.before, one.after) for one in found.head] == [
        ("Name (English)", "Care", "Care and more"),
        ("Starts", "by hand", "when a customer is recorded"),
    ]
    steps = {one.title: one for one in found.steps}
    assert {(one.title, one.before, one.after) for one in found.steps} == {
        ("Call", 1, 2),
        ("Write", 2, 1),
        ("Visit", None, 3),
        ("Gone", 3, None),
    }
    changed = {str(one.what): (one.before, one.after) for one in steps["Call"].differences}
    assert changed == {
        "Guidance (English)": ("Softly", "Loudly"),
        "Due": ("1 day", "2 hours"),
        "Required": ("Required", "Optional"),
    }
    assert not compare(before, before)


def test_what_is_less_than_a_day_counts_opening_hours_and_days_count_by_the_calendar():
    office = Hours(ZoneInfo("UTC"), dict.fromkeys(range(5), ((9 * 60, 17 * 60),)))
    friday = NOON + timedelta(days=4, hours=4)  # 16:00
    assert step_due_at(friday, 2 * HOUR, office).isoformat() == "2026-03-09T10:00:00+00:00"
    assert step_due_at(friday, DAY, office).isoformat() == "2026-03-09T09:00:00+00:00"
    assert step_due_at(friday, 7 * DAY, office).isoformat() == "2026-03-13T16:00:00+00:00"
    always = Hours(ZoneInfo("Europe/Berlin"))  # clocks go forward on 29 March
    saturday = NOON + timedelta(days=26)
    assert step_due_at(saturday, DAY, always) == saturday + timedelta(hours=23)


@given(st.integers(min_value=1, max_value=2 * 366 * DAY))
def test_a_time_is_written_as_the_largest_unit_that_says_it_exactly(minutes):
    value, unit = split_offset(minutes)
    assert value * UNITS[unit] == minutes
    larger = [size for size in UNITS.values() if size > UNITS[unit]]
    assert all(minutes % size for size in larger)
    assert str(value)[-1] in offset_text(minutes)


@pytest.mark.django_db
def test_the_event_log_of_a_standard_holds_codes_only():
    make_playbook()
    assert Event.objects.get(kind="playbook.published").codes == {"standard": "care", "version": 1}
