"""A little API for the tests of what all of the API shares."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from django.db import OperationalError
from django.urls import include, path
from psycopg.errors import DeadlockDetected
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import Role
from common.errors import Conflict
from common.fields import EmailField, InstantField, LineField, MoneyField, PhoneField, TextField
from common.idempotency import IdempotentMixin
from common.models import Event
from common.services import record_event
from common.time import now


class TooMany(Conflict):
    code = "too_many"
    message = "There are too many."


class Busy(Conflict):
    code = "busy"
    is_transient = True


class ThingInput(serializers.Serializer[Any]):
    name = LineField(max_length=40)
    note = TextField(required=False, max_length=100)
    amount = MoneyField(required=False)
    at = InstantField(required=False)
    email = EmailField(required=False)
    phone = PhoneField(required=False)


class Things(IdempotentMixin, APIView):
    roles_read: ClassVar = {Role.ADMIN, Role.STAFF}
    roles_write: ClassVar = {Role.ADMIN}
    slow = 0.0
    is_busy = False

    def get(self, request: Request) -> Response:
        return Response({"count": Event.objects.count()})

    def post(self, request: Request) -> Response:
        given = ThingInput(data=request.data)
        given.is_valid(raise_exception=True)
        name = given.validated_data["name"]
        event = record_event(
            kind="thing", subject_kind="thing", subject_ref=name, occurred_at=now()
        )
        time.sleep(self.slow)
        if name == "refused":
            raise TooMany(limit=3)
        if self.is_busy:
            raise Busy
        if name == "deadlock":
            raise OperationalError from DeadlockDetected()
        if name == "crash":
            raise RuntimeError
        shown = {key: str(value) for key, value in given.validated_data.items()}
        return Response({"id": event.pk} | shown, status=status.HTTP_201_CREATED)


def crossed(_request: Any) -> Any:
    """A page whose write is ended by the database, as it was in another one's way."""
    raise OperationalError from DeadlockDetected()


handler500 = "config.failures.server_error"
urlpatterns = [
    path("api/v1/things/", Things.as_view(), name="things"),
    path("crossed/", crossed),
    path("", include("config.urls")),
]
