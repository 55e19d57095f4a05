"""What figures know of a run, and what erasure and events keep of its words."""

from datetime import timedelta

import pytest

from common.models import Event
from crm.models import StepResult
from crm.privacy import runs as privacy
from crm.selectors.runs import completion, completion_facts
from crm.services.run_steps import complete_run, do_step, give_up_run, skip_step
from tests.cast import ACTOR, NOON
from tests.crm.following import AS_MANAGER, AS_STAFF, HAPPENING, refreshed, states
from tests.crm.standards import DAY, make_playbook, make_run, step

pytestmark = pytest.mark.django_db


def test_completion_counts_runs_due_in_the_period_and_kept_in_time_with_nothing_required_skipped():
    playbook = make_playbook(step(offset_minutes=DAY))
    runs = [make_run(playbook=playbook, at=NOON) for _number in range(5)]
    kept, late, skipped, given_up, _open = runs
    in_time, too_late = NOON + timedelta(hours=5), NOON + timedelta(days=2)
    do_step(run_id=kept.pk, position=1, **(AS_STAFF | {"happened_at": in_time}))
    do_step(run_id=late.pk, position=1, **(AS_STAFF | {"happened_at": too_late}))
    skip_step(
        run_id=skipped.pk, position=1, reason="Why", **(AS_MANAGER | {"happened_at": in_time})
    )
    give_up_run(run_id=given_up.pk, reason="Why", happened_at=in_time, actor=ACTOR)
    day = timedelta(days=1)
    assert completion(NOON + day, NOON + 2 * day) == (1, 5)
    assert completion(NOON, NOON + day) == (0, 0)  # half-open: due at its end
    facts = {row["id"]: row for row in completion_facts(NOON + day, NOON + 2 * day)}
    assert facts[kept.pk] == {
        "id": kept.pk,
        "customer_id": kept.customer_id,
        "playbook": "care",
        "location_id": None,
        "started_at": NOON,
        "due_at": NOON + day,
        "ended_at": in_time,
        "state": "completed",
        "required": 1,
        "required_done": 1,
        "seconds": 5 * 3600,
    }
    assert facts[skipped.pk]["required_done"] == 0


def test_erasure_forgets_words_and_keeps_codes():
    run = make_run(step("A", done_when="written"), step("B"))
    do_step(run_id=run.pk, position=1, text="She moved to Perm", **AS_STAFF)
    give_up_run(run_id=run.pk, reason="She is away", **HAPPENING)
    exported = privacy.export_step_results([run.customer_id]) + privacy.export_runs(
        [run.customer_id]
    )
    assert "She moved to Perm" in str(exported)
    assert "She is away" in str(exported)

    assert privacy.erase_step_results([run.customer_id]) == 1
    assert privacy.erase_runs([run.customer_id]) == 1

    assert set(StepResult.objects.values_list("text", flat=True)) == {""}
    assert (refreshed(run).ended_why, refreshed(run).state) == ("", "abandoned")
    assert states(run) == ["done", "left"]


def test_events_of_a_run_hold_no_words_of_customers():
    run = make_run(step("A", done_when="written"), step("B", is_required=False))
    do_step(run_id=run.pk, position=1, text="secret words", **AS_STAFF)
    complete_run(run_id=run.pk, reason="secret reason", **AS_STAFF)
    assert "secret" not in str(list(Event.objects.values_list("codes", flat=True)))
