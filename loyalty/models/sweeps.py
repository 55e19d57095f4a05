"""How far the sweeps have seen."""

from __future__ import annotations

from django.db import models


class SweepMark(models.Model):
    """Up to which recorded time a sweep has looked; it looks again at a generous overlap."""

    name = models.CharField(max_length=40, unique=True)
    seen_until = models.DateTimeField()
    full_pass_at = models.DateTimeField()  # when it last looked at everything

    def __str__(self) -> str:
        return f"{self.name} until {self.seen_until}"
