"""Who stands behind an actor's code: ``user:<id>``, ``key:<id>``, ``system``."""

from __future__ import annotations

from collections.abc import Iterable

from accounts.models import ApiKey, Role, User
from common.services import SYSTEM


def names_of_actors(actors: Iterable[str]) -> dict[str, str]:
    """Return code → name for those who are users or keys; at most two queries."""
    users, keys = _ids(actors, "user:"), _ids(actors, "key:")
    names = {}
    if users:
        found = User.objects.filter(pk__in=users).only("email", "name")
        names.update({f"user:{user.pk}": str(user) for user in found})
    if keys:
        names.update({f"key:{key.pk}": key.name for key in ApiKey.objects.filter(pk__in=keys)})
    return names


def role_of_actor(actor: str) -> str:
    """Return the actor's role at present; the system may what admins may, nobody else anything."""
    if actor == SYSTEM:
        return Role.ADMIN
    for prefix, model in (("user:", User), ("key:", ApiKey)):
        for pk in _ids([actor], prefix):
            return str(model.objects.filter(pk=pk).values_list("role", flat=True).first() or "")
    return ""


def _ids(actors: Iterable[str], prefix: str) -> set[int]:
    numbers = {actor.removeprefix(prefix) for actor in actors if actor.startswith(prefix)}
    return {int(number) for number in numbers if number.isascii() and number.isdigit()}
