"""How the exports of well-known programs are read."""

from __future__ import annotations

from crm.imports.detection import Findings
from crm.imports.presets import others, shopify, woocommerce
from crm.imports.presets.base import Preset

__all__ = ["Preset", "presets", "recognise"]


def presets() -> dict[str, Preset]:
    """Return every preset by its key, in the order in which they are offered."""
    return {one.key: one for one in (*shopify.PRESETS, *woocommerce.PRESETS, *others.PRESETS)}


def recognise(findings: Findings) -> Preset | None:
    """Return the preset that a file is an export of, if it is of any."""
    fitting = [preset for preset in presets().values() if preset.fits(findings)]
    return max(fitting, key=lambda preset: len(preset.marks), default=None)
