"""Codes of a file to database ids, a chunk at a time."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import models

from crm.imports.bulk import fetch_rows
from crm.imports.columns import MEMO_LIMIT, Bad, Stored
from crm.imports.forgotten import erased_ids, forgotten
from crm.models import Customer


class Lookup:
    """Finds rows of a model by a unique text; remembers what it found."""

    def __init__(self, model: type[models.Model], name: str, unknown: str) -> None:
        """unknown: the reason given where nothing is found."""
        self.model, self.name, self.unknown = model, name, Bad(unknown)
        self.forgotten = forgotten() if model is Customer else self.unknown
        self.ids: dict[Stored | Bad, int | Bad | None] = {None: None}
        self.has_bad = False

    def find(self, texts: Sequence[Stored | Bad]) -> list[int | Bad | None]:
        """Return the id per text; None stays None, and what is bad stays bad."""
        if len(self.ids) > MEMO_LIMIT:
            self.ids = {None: None}
        distinct = set(texts)
        new = [text for text in distinct - self.ids.keys() if isinstance(text, str)]
        if new:
            found = fetch_rows(self.model, (self.name, "id"), where=self.name, among=new)
            self.ids.update(found)
            unknown = [text for text in new if text not in self.ids]
            erased = erased_ids(unknown) if self.model is Customer else set()
            for text in unknown:
                self.ids[text] = self.forgotten if text in erased else self.unknown
                self.has_bad = True
        for cell in distinct:
            if isinstance(cell, Bad):
                self.ids[cell] = cell
                self.has_bad = True
        return list(map(self.ids.__getitem__, texts))
