"""Is it alive, is it ready, and how is it doing: pages for probes and for Prometheus.

Public, so they name what fails and nothing more: no addresses, versions or error texts.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cache

import structlog
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.models import Role
from common.append_only import missing_triggers
from common.errors import NotFound
from common.models import Heartbeat
from common.time import now
from config.tasks import WORKER

log = structlog.get_logger(__name__)
HEARTBEAT_LIMIT = timedelta(seconds=60)
BROKER_TIMEOUT_SECONDS = 1.0
LOOPBACK = frozenset({"127.0.0.1", "::1"})
FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP")


@never_cache
@require_safe
def live(_request: HttpRequest) -> JsonResponse:
    """Answer while the process can answer at all; asks nothing else."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def ready(_request: HttpRequest) -> JsonResponse:
    """Say for each part whether it works; 503 when one doesn't."""
    checks = {name: _holds(name, check) for name, check in CHECKS.items()}
    fine = all(checks.values())
    return JsonResponse(
        {
            "status": "ok" if fine else "failing",
            "checks": {name: "ok" if holds else "failing" for name, holds in checks.items()},
        },
        status=200 if fine else 503,
    )


@never_cache
@require_safe
def prometheus(request: HttpRequest) -> HttpResponse:
    """Export the metrics to this machine itself, or to a signed-in admin; 404 to anybody else."""
    if not _asked_from_this_machine(request) and not _asked_by_admin(request):
        raise NotFound
    from django_prometheus.exports import ExportToDjangoView

    from config.gauges import exposition

    answer: HttpResponse = ExportToDjangoView(request)
    answer.content += exposition()
    return answer


def _asked_from_this_machine(request: HttpRequest) -> bool:
    """A proxy on the same machine connects from loopback too, but says for whom."""
    return request.META.get("REMOTE_ADDR") in LOOPBACK and not any(
        header in request.META for header in FORWARDED
    )


def _asked_by_admin(request: HttpRequest) -> bool:
    user = request.user
    return user.is_authenticated and user.is_active and user.role == Role.ADMIN


def _holds(name: str, check: Callable[[], bool]) -> bool:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - whatever breaks, the answer is "failing"
        log.warning("readiness_check_failed", check=name, error=type(error).__name__)
        return False


def _database_answers() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return bool(cursor.fetchone() == (1,))


def _broker_answers() -> bool:
    import redis

    client = redis.Redis.from_url(
        settings.CELERY_BROKER_URL,
        socket_timeout=BROKER_TIMEOUT_SECONDS,
        socket_connect_timeout=BROKER_TIMEOUT_SECONDS,
        retry=None,
    )
    try:
        return bool(client.ping())
    finally:
        client.close()


def _worker_lives() -> bool:
    return Heartbeat.objects.filter(name=WORKER, beat_at__gte=now() - HEARTBEAT_LIMIT).exists()


@cache
def _migrations_on_disk() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)


def _is_migrated() -> bool:
    return _migrations_on_disk() <= MigrationRecorder(connection).applied_migrations().keys()


def _append_only_holds() -> bool:
    return not missing_triggers()


CHECKS: dict[str, Callable[[], bool]] = {
    "database": _database_answers,
    "broker": _broker_answers,
    "worker": _worker_lives,
    "migrations": _is_migrated,
    "append_only": _append_only_holds,
}
