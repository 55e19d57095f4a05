"""Random numbers that follow from a text, so that the same demo data are made every time."""

from __future__ import annotations

from hashlib import blake2b


class Draw:
    """Eight random numbers that follow from a text."""

    def __init__(self, text: str) -> None:
        self._bytes = blake2b(text.encode(), digest_size=32).digest()
        self._place = 0

    def share(self) -> float:
        """Return the next number in [0, 1)."""
        number = int.from_bytes(self._bytes[self._place : self._place + 4])
        self._place += 4
        return number / 2**32

    def weighted(self, weights: tuple[int, ...]) -> int:
        """Return a place, drawn by weight."""
        rest = self.share() * sum(weights)
        for place, weight in enumerate(weights):
            rest -= weight
            if rest < 0:
                return place
        return len(weights) - 1
