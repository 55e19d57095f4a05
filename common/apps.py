"""Configuration of the bottom app."""

from typing import Any

from django.apps import AppConfig
from django.core.checks import Warning as CheckWarning
from django.core.checks import register
from django.db.models.signals import post_migrate, pre_migrate


class CommonConfig(AppConfig):
    """Errors, money, time, idempotency, events, validators. Knows no business."""

    name = "common"

    def ready(self) -> None:
        """Install append-only triggers around each migrate, and check that they stand."""
        from common import append_only, schema  # noqa: F401 - schema registers itself
        from common.append_only import missing_triggers
        from common.services import forget_requests
        from common.sweeping import register_sweeper

        register_sweeper("common.forget", forget_requests, order=90, every=600)

        def install(using: str = "default", **_kwargs: object) -> None:
            append_only.install_triggers(using)

        def suspend(using: str = "default", plan: object = None, **_kwargs: object) -> None:
            if plan:
                append_only.suspend_licences(using)

        pre_migrate.connect(suspend, self, dispatch_uid="common.append_only", weak=False)
        post_migrate.connect(install, dispatch_uid="common.append_only", weak=False)

        @register("database")
        def append_only_triggers_stand(
            app_configs: Any = None, databases: Any = None, **_kwargs: Any
        ) -> list[CheckWarning]:
            missing = missing_triggers("default", existing_only=True) if databases else []
            if not missing:
                return []
            return [
                CheckWarning(
                    f"Append-only triggers are missing: {', '.join(missing)}.",
                    hint="Run `manage.py migrate`.",
                    id="keepwell.W001",
                )
            ]
