"""Tables every app may write through common's services: events, remembered requests, heartbeats."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from common.append_only import append_only


@append_only
class Event(models.Model):
    """One fact in the life of a customer or of the system; the audit trail.

    Holds ids, codes and amounts only, never personal text: that stands in :class:`ChangeDetail`.
    """

    kind = models.CharField(max_length=60)
    customer_id = models.BigIntegerField(null=True)  # no foreign key: common knows no customers
    subject_kind = models.CharField(max_length=40)
    subject_ref = models.CharField(max_length=64)
    actor = models.CharField(max_length=64)  # "user:7", "key:3", "customer:9", "system"
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    codes = models.JSONField(default=dict)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["customer_id", "-occurred_at", "-id"], name="event_timeline"),
            models.Index(fields=["subject_kind", "subject_ref"], name="event_subject"),
            models.Index(fields=["recorded_at"], name="event_recorded"),
            models.Index(fields=["kind", "id"], name="event_newest_of_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_kind}:{self.subject_ref}"


class ChangeDetail(models.Model):
    """The erasable side of an event: before and after of fields, free text."""

    event = models.OneToOneField(Event, on_delete=models.PROTECT, related_name="detail")
    content = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"detail of event {self.event_id}"


class IdempotencyKey(models.Model):
    """An answered API write, refusals included, so that a retry gets the same answer."""

    scope = models.CharField(max_length=64)  # who sent it: "user:7" or "key:3"
    key = models.CharField(max_length=255)
    request_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.TextField(default="")
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["scope", "key"], name="idempotency_key_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["created_at"], name="idempotency_created")]

    def __str__(self) -> str:
        return f"{self.scope} {self.key}"


class Heartbeat(models.Model):
    """When a background part was last alive."""

    name = models.CharField(max_length=60, unique=True)
    beat_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} at {self.beat_at:%H:%M:%S}"


class CacheRow(models.Model):
    """The table of Django's database cache (see ``settings.CACHES``), made by our migrations.

    Django's cache reads and writes it; nothing else does.
    """

    cache_key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "common_cache"

    def __str__(self) -> str:
        return self.cache_key
