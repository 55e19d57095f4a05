"""Slices: some of the customers, of whom a figure is said apart.

A slice is named ``dimension=value``: ``location=north``, ``tag=vip``, ``cohort=2026-05``. Who is in
it is known as of the same two moments as the figures. A sliced figure is the figure of what these
customers did; what nobody known did is in none.

Each customer has at most one value of a *partition* (shop, source, country, first product, month of
first purchase, tier); of tags, segments and products any number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from common.errors import NotFound
from common.time import Period, local_date
from metrics.windows import periods_between

if TYPE_CHECKING:
    from metrics.compute import Computation

SEGMENT = "segment"
# In the order in which they get their share of the slices that a run keeps.
DIMENSIONS: dict[str, Promise | str] = {
    "location": _("Shop"),
    SEGMENT: _("Segment"),
    "source": _("Source"),
    "tag": _("Tag"),
    "industry": _("Industry"),
    "tier": _("Tier"),
    "product": _("Bought product"),
    "first_product": _("First product"),
    "country": _("Country"),
    "cohort": _("Month of first purchase"),
}
# Figures of one product each have this in the place of a dimension: they are no slices.
OF_PRODUCT = "of_product"
MOST_VALUES = 20  # that a run keeps of each dimension: the largest
MOST_SLICES = 60  # that it keeps of all; fewer than a 64-bit word has bits
FEWEST = 5  # customers in a slice worth keeping


def has_own_sets(dimension: str) -> bool:
    """Whether figures of a dimension keep their people: of everybody, and of one product."""
    return not dimension or dimension.startswith(f"{OF_PRODUCT}=")


@dataclass(frozen=True, slots=True)
class Slice:
    """Some of the customers. name: ``dimension=value``.  label: the value for people.

    ids: of the customers, sorted (an array).
    """

    name: str
    label: str
    ids: Any

    @property
    def dimension(self) -> str:
        """What it is cut by."""
        return self.name.partition("=")[0]


def parse_slice(text: str) -> str:
    """Return a slice's name; a bare word is a segment.

    :raises ValidationError: no such dimension, or no value.
    """
    dimension, equals, value = text.partition("=")
    if not equals:
        dimension, value = SEGMENT, text
    if dimension not in DIMENSIONS or not value:
        raise ValidationError(
            _(
                "%(given)s names no group of customers. "
                "Name a segment, or one of these with a value: %(known)s."
            ),
            code="segment",
            params={"given": text, "known": ", ".join(f"{one}=…" for one in DIMENSIONS)},
        )
    return f"{dimension}={value}"


def find_slice(computation: Computation, name: str) -> Slice:
    """Return one slice by its name; maybe nobody is in it.

    :raises NotFound: there is no such shop, tag, segment, …
    """
    dimension, _equals, value = name.partition("=")
    names = _NAMES[dimension](value)
    codes = [code for code, (known, _label) in names.items() if known == value]
    found = _READERS[dimension](computation, codes or None)
    if found is None:
        if not codes:
            raise _unknown(name)
        return _slice(name, names[codes[0]][1], None, codes)
    if not codes:  # a dimension whose values are written with the customers
        codes = [code for code in found.codes if _text(code) == value]
        if not codes:
            raise _unknown(name)
    label = names[codes[0]][1] if codes[0] in names else value
    return _slice(name, label, found, codes)


def find_slices(computation: Computation) -> list[Slice]:
    """Return the largest slices of every dimension, :data:`MOST_SLICES` at most."""
    lines = []
    for dimension, read in _READERS.items():
        found = read(computation, None)
        if found is not None:
            lines.append(_largest(dimension, found))
    # Each dimension's largest first, then each one's second, …
    ranks = (line[rank] for rank in range(MOST_VALUES) for line in lines if rank < len(line))
    return list(islice(ranks, MOST_SLICES))


@dataclass(frozen=True, slots=True)
class _Values:
    """Which values customers have: ids and the places of their values in ``codes``."""

    ids: Any
    places: Any
    codes: list[Any]


def _largest(dimension: str, found: _Values) -> list[Slice]:
    import numpy as np

    sizes = np.bincount(found.places, minlength=len(found.codes))
    names = _NAMES[dimension]("")
    ranked = sorted(
        (place for place in range(len(found.codes)) if sizes[place] >= FEWEST),
        key=lambda place: (-int(sizes[place]), _text(found.codes[place])),
    )
    kept = []
    for place in ranked[:MOST_VALUES]:
        code = found.codes[place]
        value, label = names.get(code, (_text(code), _text(code)))
        kept.append(_slice(f"{dimension}={value}", label, found, [code]))
    return kept


def _slice(name: str, label: str, found: _Values | None, codes: list[Any]) -> Slice:
    import numpy as np

    if found is None:
        return Slice(name, label, np.zeros(0, dtype=np.int64))
    wanted = [place for place, code in enumerate(found.codes) if code in set(codes)]
    return Slice(name, label, np.unique(found.ids[np.isin(found.places, wanted)]))


def _unknown(name: str) -> NotFound:
    return NotFound(_("Nobody is in %(name)s: there is no such group.") % {"name": name})


def _text(code: Any) -> str:
    return str(code)


# --- What the values are called -----------------------------------------------------------------
# Code in the facts → value in a slice's name, and its label. ``value``: the only one wanted, or "".
Names = Mapping[Any, tuple[str, str]]


def _no_names(value: str) -> Names:
    return {}


def _location_names(value: str) -> Names:
    from crm.models import Location

    rows = Location.objects.filter(code=value) if value else Location.objects.all()
    return {key: (code, name) for key, code, name in rows.values_list("pk", "code", "name")}


def _tag_names(value: str) -> Names:
    from crm.models import Tag

    rows = Tag.objects.filter(name=value) if value else Tag.objects.all()
    return {str(key): (name, name) for key, name in rows.values_list("pk", "name")}


def _segment_names(value: str) -> Names:
    from crm.models import Audience

    rows = Audience.objects.filter(key=value) if value else Audience.objects.all()
    return {key: (key, name) for key, name in rows.values_list("key", "name")}


def _tier_names(value: str) -> Names:
    from loyalty.selectors.tiers import list_tiers

    return {
        tier.ref: (tier.name, tier.name) for tier in list_tiers() if not value or tier.name == value
    }


def _product_names(value: str) -> Names:
    from crm.models import Product

    rows = Product.objects.filter(sku=value) if value else Product.objects.all()
    return {key: (sku, name) for key, sku, name in rows.values_list("pk", "sku", "name")}


def _cohort_names(value: str) -> Names:
    if not value:
        return {}
    try:
        month = Period.parse(value)
    except ValidationError:
        return {}
    return {value: (value, value)} if month.unit == "month" else {}


_NAMES: dict[str, Callable[[str], Names]] = {
    "location": _location_names,
    SEGMENT: _segment_names,
    "source": _no_names,
    "tag": _tag_names,
    "industry": _no_names,
    "tier": _tier_names,
    "product": _product_names,
    "first_product": _product_names,
    "country": _no_names,
    "cohort": _cohort_names,
}


# --- Who has which value ------------------------------------------------------------------------
Reader = Callable[["Computation", list[Any] | None], _Values | None]


def _values(rows: Any) -> _Values | None:
    """Two Arrow columns, customer and code, as arrays; without empty codes."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    ids, codes = rows.columns
    is_there = pc.and_(pc.is_valid(ids), pc.is_valid(codes))
    if pa.types.is_string(codes.type) or pa.types.is_dictionary(codes.type):
        codes = codes.cast(pa.string())
        is_there = pc.and_(is_there, pc.not_equal(codes, ""))
    ids, codes = ids.filter(is_there), codes.filter(is_there)
    if not len(ids):
        return None
    encoded = codes.combine_chunks().dictionary_encode()
    return _Values(
        ids.to_numpy().astype(np.int64), encoded.indices.to_numpy(), encoded.dictionary.to_pylist()
    )


def _attribute(column: str) -> Reader:
    """What stands in the person's own record, as it is now."""

    def read(computation: Computation, codes: list[Any] | None) -> _Values | None:
        if not computation.has_rows("customers"):
            return None
        return _values(computation.attributes.select(["customer_id", column]))

    return read


def _tags(computation: Computation, codes: list[Any] | None) -> _Values | None:
    if not computation.has_rows("tags"):
        return None
    return _values(computation.arrow(computation.facts().tags.select("customer_id", "tag")))


def _in_force(table: str, column: str) -> Reader:
    """What a customer belongs to at as_of."""

    def read(computation: Computation, codes: list[Any] | None) -> _Values | None:
        if not computation.has_rows(table):
            return None
        rows, moment = getattr(computation.facts(), table), computation.cut
        rows = rows.filter(rows.since <= moment, rows.until.isnull() | (rows.until > moment))
        return _values(computation.arrow(rows.select("customer_id", column).distinct()))

    return read


def _products(computation: Computation, codes: list[Any] | None) -> _Values | None:
    """Every product a customer has bought; of all of them the most bought only."""
    if not computation.has_rows("line_states"):
        return None
    lines = computation.facts().lines
    rows = lines.filter(lines.customer_id.notnull()).select("customer_id", "product_id")
    rows = rows.distinct()
    if codes is None:
        bought = rows.group_by("product_id").aggregate(buyers=rows.count())
        most = bought.order_by([bought.buyers.desc(), bought.product_id]).limit(MOST_VALUES)
        codes = computation.arrow(most.select("product_id")).column(0).to_pylist()
    return _values(computation.arrow(rows.filter(rows.product_id.isin(codes)))) if codes else None


def _first_products(computation: Computation, codes: list[Any] | None) -> _Values | None:
    """The product of a customer's first purchase; of several the one that cost most."""
    import ibis

    if not computation.has_rows("line_states"):
        return None
    facts = computation.facts()
    orders, lines = facts.customer_orders, facts.lines
    first = orders.group_by("customer_id").aggregate(first_at=orders.ordered_at.min())
    heads = orders.select("order_id", "customer_id", "ordered_at").inner_join(first, "customer_id")
    heads = heads.filter(heads.ordered_at == heads.first_at)
    lines = lines.semi_join(heads, "order_id")
    rank = ibis.row_number().over(
        group_by="customer_id", order_by=[ibis.desc("amount"), "product_id"]
    )
    ranked = lines.mutate(rank=rank)
    return _values(
        computation.arrow(ranked.filter(ranked.rank == 0).select("customer_id", "product_id"))
    )


def _cohorts(computation: Computation, codes: list[Any] | None) -> _Values | None:
    """The local month of a customer's first purchase."""
    import numpy as np

    orders = computation.orders
    if not len(orders.ids):
        return None
    first, last = (
        local_date(datetime.fromtimestamp(int(edge) / 1_000_000, UTC))
        for edge in (orders.first.min(), orders.first.max())
    )
    months = list(periods_between(first, last, "month"))
    starts = [int(month.start.timestamp()) * 1_000_000 for month in months]
    places = np.searchsorted(np.array(starts), orders.first, side="right") - 1
    return _Values(orders.ids, places, [str(month) for month in months])


_READERS: dict[str, Reader] = {
    "location": _attribute("location_id"),
    SEGMENT: _in_force("segments", "segment"),
    "source": _attribute("source"),
    "tag": _tags,
    "industry": _attribute("industry"),
    "tier": _in_force("tiers", "tier"),
    "product": _products,
    "first_product": _first_products,
    "country": _attribute("country"),
    "cohort": _cohorts,
}
