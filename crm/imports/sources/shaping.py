"""Rows as the mapping wants them: heads carried forward, columns put together or left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from crm.imports.mapping import Mapping
from crm.imports.sources.base import Row

JOIN, FIRST = " + ", " | "
Build = Callable[[Sequence[str]], str]
LONG_ID = re.compile(r"'\d{9,}")  # other programs keep spreadsheets from rounding long numbers so


def unguarded(cell: str) -> str:
    """Return a long number without the apostrophe before it."""
    return cell[1:] if LONG_ID.fullmatch(cell) else cell


class Shape:
    """What becomes of a row: ``header`` names the cells that ``rows`` then yields."""

    def __init__(self, names: Sequence[str], mapping: Mapping) -> None:
        self._names = list(names)
        places = {name: place for place, name in enumerate(names) if name}
        left_out = {name for name, ours in mapping.columns.items() if not ours}
        built = {
            name: build
            for name in mapping.columns
            if name not in places and (build := _build(name, places))
        }
        # A column that only serves to build others is not asked for by its own name too.
        used = {part for name in built for part in _parts(name)}
        self._kept = [
            place
            for place, name in enumerate(names)
            if name and name not in left_out and (name not in used or name in mapping.columns)
        ]
        self._built = list(built.values())
        self.header = [names[place] for place in self._kept] + list(built)
        self._fills = [
            (places[key], [places[name] for name in columns if name in places])
            for key, columns in mapping.fill_down.items()
            if key in places
        ]
        self._needed = places.get(mapping.only_with)
        self._is_plain = (
            not self._built and not self._fills and self._kept == list(range(len(names)))
        )

    @property
    def width(self) -> int:
        """How many cells a row of the file has."""
        return len(self._names)

    def rows(self, rows: Iterator[Row]) -> Iterator[Row]:
        """Yield the rows in their new shape; those that can't be read as they are."""
        above: list[str] | None = None
        for line, cells in rows:
            if isinstance(cells, str) or len(cells) != len(self._names):
                yield line, cells
                continue
            for key, places in self._fills:
                if above and (cells[key] == above[key] or (not cells[key] and key in places)):
                    for place in places:
                        cells[place] = cells[place] or above[place]
            above = cells
            if self._needed is not None and not cells[self._needed].strip():
                continue
            if self._is_plain:
                yield line, cells
                continue
            shaped = [cells[place] for place in self._kept]
            shaped += [build(cells) for build in self._built]
            yield line, shaped


def _parts(name: str) -> list[str]:
    return name.split(JOIN if JOIN in name else FIRST)


def _build(name: str, places: dict[str, int]) -> Build | None:
    """Return what makes a column out of others, if the name is made of theirs."""
    parts = _parts(name)
    if len(parts) < 2 or not all(part in places for part in parts):
        return None
    chosen = [places[part] for part in parts]
    if JOIN in name:
        return lambda cells: " ".join(filter(None, [cells[place].strip() for place in chosen]))
    return lambda cells: next((cells[place] for place in chosen if cells[place].strip()), "")
