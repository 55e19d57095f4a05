"""Who follows a standard, and how far a run has come."""

from crm.models import Run
from tests.cast import ACTOR, NOON

HAPPENING = {"happened_at": NOON, "actor": ACTOR}
AS_STAFF = HAPPENING | {"role": "staff"}
AS_MANAGER = HAPPENING | {"role": "manager"}


def states(run):
    return list(run.results.order_by("step__position").values_list("state", flat=True))


def refreshed(run):
    return Run.objects.get(pk=run.pk)
