"""The slices that a page can be narrowed to, as choices of a form."""

from __future__ import annotations

from metrics.models import SliceSet
from metrics.slices import DIMENSIONS
from metrics.views.asking import slice_label

Choices = list[tuple[str, list[tuple[str, str]]]]


def segment_choices(slices: list[SliceSet]) -> Choices:
    """Return dimension → slices with their names, without dimensions that have none."""
    found = [
        (
            str(label),
            [
                (one.dimension, slice_label(one))
                for one in slices
                if one.dimension.startswith(f"{name}=")
            ],
        )
        for name, label in DIMENSIONS.items()
    ]
    return [(label, group) for label, group in found if group]
