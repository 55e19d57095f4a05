"""What the two databases write differently in the SQL of the facts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from metrics.facts.columns import NO_ID, NO_MONEY


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one database writes what the other writes differently. vendor: Django's name of it."""

    vendor: str

    @property
    def is_sqlite(self) -> bool:
        """Whether it is SQLite, whose driver can't tell the type of a null."""
        return self.vendor == "sqlite"

    def instant(self, column: str) -> str:
        """Read an instant that may be null."""
        return f"COALESCE({column}, '')" if self.is_sqlite else column

    def id(self, column: str) -> str:
        """Read an id that may be null."""
        return f"COALESCE({column}, {NO_ID})" if self.is_sqlite else column

    def money(self, column: str) -> str:
        """Read an amount that may be null."""
        return f"COALESCE({column}, {NO_MONEY})" if self.is_sqlite else column

    def flag(self, column: str) -> str:
        """Read a yes or no."""
        return f"CAST({column} AS INTEGER)" if self.is_sqlite else column

    def quantity(self, column: str) -> str:
        """Read a quantity, which is kept in 1/10,000, as a floating-point number."""
        kind = "REAL" if self.is_sqlite else "DOUBLE PRECISION"
        return f"CAST({column} AS {kind}) / 10000"

    def product(self, quantity: str, price: str) -> str:
        """Multiply two columns of 1/10,000, to 1/10,000, half to even; null if one is.

        What no 64-bit number holds comes out as 4 × 10^18.
        """
        if not self.is_sqlite:
            exact = f"CAST({quantity} AS NUMERIC) * {price}"
            whole, rest = f"DIV({exact}, 10000)", f"MOD({exact}, 10000)"
            odd = f"MOD({whole}, 2)"
        else:
            high, low = f"({quantity} / 10000 * {price})", f"({quantity} % 10000 * {price})"
            whole, rest = f"({high} + {low} / 10000)", f"({low} % 10000)"
            odd = f"({whole} % 2)"
        up = f"ABS({rest}) > 5000 OR (ABS({rest}) = 5000 AND {odd} <> 0)"
        rounded = f"{whole} + CASE WHEN {up} THEN SIGN({rest}) ELSE 0 END"
        least = "MIN" if self.is_sqlite else "LEAST"
        capped = f"CAST({least}({rounded}, 4000000000000000000) AS BIGINT)"
        # LEAST passes over a null, MIN doesn't.
        return f"CASE WHEN {price} IS NOT NULL THEN {capped} END"

    @property
    def no_instant(self) -> str:
        """Write an absent instant."""
        return "''" if self.is_sqlite else "CAST(NULL AS TIMESTAMPTZ)"

    def literal(self, moment: datetime) -> str:
        """Write an instant to compare with."""
        text = moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")
        return f"'{text}'" if self.is_sqlite else f"TIMESTAMPTZ '{text}+00'"
