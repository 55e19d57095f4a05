"""A preset: how the export of a well-known program is to be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from django.utils.functional import Promise

from crm.imports.detection import Findings
from crm.imports.mapping import Mapping
from crm.imports.sources.shaping import FIRST, JOIN

Text = str | Promise


@dataclass(frozen=True, slots=True)
class Preset:
    """label, note: for people; the note says what the export does not tell.

    mapping: for every version of the export; :meth:`mapping_for` takes of it what a file has.
    marks: names by which the file is recognised.  looks: what else must be so.
    """

    key: str
    kind: str
    label: Text
    mapping: Mapping
    marks: frozenset[str]
    note: Text = ""
    looks: Callable[[Findings], bool] = lambda findings: True

    def fits(self, findings: Findings) -> bool:
        """Whether a file is such an export."""
        names = {name.casefold() for name in findings.header}
        return all(mark.casefold() in names for mark in self.marks) and self.looks(findings)

    def mapping_for(self, header: Sequence[str]) -> Mapping:
        """Return what of the mapping fits a file with these columns; the others are left out."""
        if not self.mapping.columns:
            return self.mapping  # a file with our own names
        names = {name.casefold(): name for name in header if name}
        columns = dict.fromkeys(names.values(), "")
        for theirs, ours in self.mapping.columns.items():
            if found := _in_file(theirs, names):
                columns[found] = ours
        taken = {ours for ours in columns.values() if ours}
        return replace(
            self.mapping,
            columns=columns,
            values={ours: values for ours, values in self.mapping.values.items() if ours in taken},
            fill_down={
                names[key.casefold()]: tuple(
                    names[name.casefold()] for name in filled if name.casefold() in names
                )
                for key, filled in self.mapping.fill_down.items()
                if key.casefold() in names
            },
            only_with=names.get(self.mapping.only_with.casefold(), ""),
        )


def _in_file(theirs: str, names: dict[str, str]) -> str:
    """Return a column of the preset as this file calls it, made of those parts that it has."""
    mark = JOIN if JOIN in theirs else FIRST
    parts = [names[part.casefold()] for part in theirs.split(mark) if part.casefold() in names]
    return mark.join(parts)
