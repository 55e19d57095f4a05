"""The front door: settings, URLs, the Celery app, the API root and health pages."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
