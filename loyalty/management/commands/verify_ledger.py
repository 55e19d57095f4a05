"""``verify_ledger``: add the points journal up again and name whatever disagrees."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from common.command import Answer, KeepwellCommand
from loyalty.selectors import verify_ledger


class Command(KeepwellCommand):
    """Exit 0 when every balance is what its journal says, else 1."""

    help = "Rebuilds every points balance from the journal and names each drift."

    def answer(self, **options: Any) -> Answer:
        """Verify, and say what was found."""
        found = verify_ledger()
        counts = {
            "transactions": found.transactions,
            "entries": found.entries,
            "lots": found.lots,
            "accounts": found.accounts,
        }
        lines = [
            f"{drift.check} {drift.subject}: journal says {drift.expected}, stored {drift.found}"
            for drift in found.drifts
        ] or ["The journal and every balance agree."]
        lines.append(", ".join(f"{number} {name}" for name, number in counts.items()))
        return Answer(
            data={
                "is_clean": not found.drifts,
                **counts,
                "drifts": [asdict(drift) for drift in found.drifts],
            },
            lines=lines,
            is_complete=not found.drifts,
        )
