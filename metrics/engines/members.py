"""A set of customers as one bit each: what kernels return, small enough to keep thousands."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Chosen:
    """Some of the customers ``ids``; as an array it is their ids, ascending.

    ``&``, ``|`` and ``-`` are as those of sets; both sides are of the same ``ids``.
    """

    __slots__ = ("_bits", "_size", "ids")

    def __init__(self, ids: Ints, bits: NDArray[np.uint64]) -> None:
        self.ids = ids
        self._bits = bits
        self._size: int | None = None

    @classmethod
    def of(cls, ids: Ints, flags: NDArray[Any]) -> Chosen:
        """Return those of ``ids`` whose flag is set: true, or not 0."""
        bits = np.zeros(-(-len(ids) // 64), dtype=np.uint64)
        packed = np.packbits(flags)
        bits.view(np.uint8)[: len(packed)] = packed
        return cls(ids, bits)

    @classmethod
    def several(cls, ids: Ints, places: NDArray[Any], flags: dict[str, Flags]) -> dict[str, Chosen]:
        """Return up to eight sets of customers at some places of ``ids``, by name.

        flags: for each set whether the customer at each place is one of it.
        """
        small = np.zeros(len(places), dtype=np.uint8)
        for bit, one in enumerate(flags.values()):
            small |= one.view(np.uint8) << bit
        room = np.zeros(len(ids), dtype=np.uint8)
        room[places] = small
        return {name: cls.of(ids, room & (1 << bit)) for bit, name in enumerate(flags)}

    @property
    def flags(self) -> Flags:
        """Whether each of ``ids`` is one of them."""
        return np.unpackbits(self._bits.view(np.uint8), count=len(self.ids)).view(np.bool_)

    @property
    def fingerprint(self) -> bytes:
        """The same for the same of the same ``ids``; much cheaper than their ids."""
        return hashlib.blake2b(self._bits.tobytes(), digest_size=16).digest()

    @property
    def unsorted_ids(self) -> Ints:
        """Their ids in the order of ``ids``, for what is in that order too."""
        found: Ints = self.ids[self.flags]
        return found

    def __and__(self, other: Chosen) -> Chosen:
        return Chosen(self.ids, self._bits & other._bits)

    def __or__(self, other: Chosen) -> Chosen:
        return Chosen(self.ids, self._bits | other._bits)

    def __sub__(self, other: Chosen) -> Chosen:
        return Chosen(self.ids, self._bits & ~other._bits)

    def patched(self, places: Ints, flags: Flags) -> Chosen:
        """Return the set with the customers at some places in it or not, as the flags say."""
        bits = self._bits.copy()
        byte, bit = places >> 3, (128 >> (places & 7)).astype(np.uint8)
        view = bits.view(np.uint8)
        np.bitwise_and.at(view, byte, ~bit)
        np.bitwise_or.at(view, byte[flags], bit[flags])
        return Chosen(self.ids, bits)

    def __len__(self) -> int:
        if self._size is None:
            self._size = int(np.bitwise_count(self._bits).sum())
        return self._size

    def __iter__(self) -> Iterator[int]:
        return iter(np.asarray(self).tolist())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        found = self.unsorted_ids
        found = by_id(found, found)
        return found if dtype is None else found.astype(dtype, copy=False)


def by_id(ids: Ints, column: NDArray[Any]) -> NDArray[Any]:
    """Return a column sorted by the ids beside it: customers that came later stand at the end."""
    if np.any(ids[1:] < ids[:-1]):
        return column[np.argsort(ids)]
    return column
