"""The hot suite as a careful person would write it in Polars and in SQL, from the same facts.

Each answers :class:`Answer`; the benchmark compares them number by number.

Over 500 lines, and one noun: the same suite twice, to be read side by side and found equal.
"""

# ruff: noqa: S608 - all of the SQL is put together from this file's own words

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from metrics.windows import Window

REPEAT_DAYS = (90, 365)
COLUMNS = (
    "customer_id", "orders", "revenue", "first", "last", "days", "first_day", "last_day",
    "recency", "frequency", "monetary", "npv",
)  # fmt: skip


@dataclass
class Answer:
    """What the suite finds.

    retention: window → S, E, S ∩ E, new ones in E, won back.
    revenue: window → before, lost, after, of those with some before, 1/10,000.
    cohorts: (place of cohort, place of month) → customers, amount.
    repeat: 90 days, 365 days, lifetime → who did, of whom.
    customers: the columns ``COLUMNS``, by customer; npv is null where a cost isn't known.
    """

    retention: dict[str, tuple[int, ...]] = field(default_factory=dict)
    revenue: dict[str, tuple[int, ...]] = field(default_factory=dict)
    cohorts: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    repeat: dict[str, tuple[int, int]] = field(default_factory=dict)
    customers: dict[str, Any] = field(default_factory=dict)

    def differences(self, other: Answer) -> list[str]:
        """Name what is not equal."""
        found = [
            name
            for name in ("retention", "revenue", "cohorts", "repeat")
            if getattr(self, name) != getattr(other, name)
        ]
        return found + [
            f"customers: {name}"
            for name in COLUMNS
            if not np.array_equal(self.customers[name], other.customers[name])
        ]


@dataclass(frozen=True)
class Question:
    """What is asked.

    months: the local months, oldest first.  shifts: since when which offset of the timezone held
    (UTC without zone, seconds).  discounts: worth after so many months.
    """

    windows: list[Window]
    months: list[Window]
    as_of: datetime
    currency: str
    shifts: tuple[tuple[datetime, int], ...]
    discounts: list[float]
    paths: dict[str, list[Path]]

    @property
    def moments(self) -> list[tuple[datetime, datetime]]:
        """Each look-back a window needs, once: from, until."""
        found = {(w.look_start, w.start) for w in self.windows}
        return sorted(found | {(w.look_until, w.until) for w in self.windows})


def naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


# --- Polars -------------------------------------------------------------------------------------
def in_polars(asked: Question) -> Answer:
    import polars as pl

    as_of = naive(asked.as_of)

    def persons(table: pl.LazyFrame) -> pl.LazyFrame:
        links = (
            pl.scan_parquet(asked.paths["links"])
            .filter(pl.col("linked_at") <= as_of)
            .filter(pl.col("until").is_null() | (pl.col("until") > as_of))
            .select(customer_id="record_id", person_id="person_id")
        )
        return table.join(links, on="customer_id", how="left").with_columns(
            customer_id=pl.coalesce("person_id", "customer_id")
        )

    def local(column: str) -> pl.Expr:
        # Quicker than converting with the timezone's rules, and the same.
        found = pl.lit(asked.shifts[0][1])
        for since, seconds in asked.shifts[1:]:
            found = pl.when(pl.col(column) >= since).then(seconds).otherwise(found)
        return pl.col(column) + pl.duration(seconds=found)

    def month_of(column: pl.Expr) -> pl.Expr:
        return (column.dt.year().cast(pl.Int32) * 12 + column.dt.month() - 1).cast(pl.Int32)

    is_ours = pl.col("currency").cast(pl.String) == asked.currency
    orders = (
        persons(
            pl.scan_parquet(asked.paths["order_states"])
            .filter(
                pl.col("valid_from") <= as_of,
                pl.col("valid_until").is_null() | (pl.col("valid_until") > as_of),
                pl.col("status").cast(pl.String) != "cancelled",
                pl.col("ordered_at") < as_of,
                pl.col("customer_id").is_not_null(),
            )
            .select(
                "customer_id",
                "order_id",
                at="ordered_at",
                amount=pl.when(is_ours).then("amount").otherwise(0),
                is_ours=is_ours,
                cost=pl.when(is_ours).then("cost"),
            )
        )
        .drop("person_id")
        .with_columns(local=local("at"))
        .with_columns(month=month_of(pl.col("local")), day=pl.col("local").dt.date())
        .drop("local")
        .collect()
    )
    refunds = (
        pl.scan_parquet(asked.paths["refunds"])
        .filter(
            pl.col("recorded_at") <= as_of,
            pl.col("taken_back_at").is_null() | (pl.col("taken_back_at") > as_of),
            pl.col("refunded_at") < as_of,
            pl.col("currency").cast(pl.String) == asked.currency,
        )
        .select("order_id", at="refunded_at", back="amount")
        .join(orders.lazy().select("order_id", "customer_id"), on="order_id")
        .with_columns(month=month_of(local("at")))
        .collect()
    )
    orders = orders.drop("order_id")
    answer = Answer()
    ends = {
        (look, moment): _polars_end(orders, refunds, naive(look), naive(moment))
        for look, moment in asked.moments
    }
    customers = (
        orders.lazy()
        .group_by("customer_id")
        .agg(
            orders=pl.len(),
            paid=pl.col("amount").sum(),
            first=pl.col("at").min(),
            last=pl.col("at").max(),
            days=pl.col("day").n_unique(),
            first_day=pl.col("day").min(),
            last_day=pl.col("day").max(),
            cohort=pl.col("month").min(),
            first_ours=pl.col("month").filter("is_ours").min(),
            unpriced=(pl.col("is_ours") & pl.col("cost").is_null()).any(),
        )
        .collect()
    )
    first = customers.select("customer_id", "first")
    for window in asked.windows:
        before = ends[window.look_start, window.start]
        after = ends[window.look_until, window.until]
        start, until = naive(window.start), naive(window.until)
        both = before.lazy().join(after.lazy(), on="customer_id", how="full", coalesce=True)
        both = both.join(first.lazy(), on="customer_id", how="left").with_columns(
            s=pl.col("active").fill_null(False),
            e=pl.col("active_right").fill_null(False),
            was=pl.col("revenue").fill_null(0),
            now=pl.col("revenue_right").fill_null(0),
            new=(pl.col("first") >= start) & (pl.col("first") < until),
        )
        kept = pl.col("was") > 0
        s, e, new = pl.col("s"), pl.col("e"), pl.col("new")
        row = (
            both.select(
                a=s.sum(),
                b=e.sum(),
                c=(s & e).sum(),
                d=(e & new).sum(),
                f=(e & ~s & ~new).sum(),
                g=pl.col("was").sum(),
                h=(pl.col("was") - pl.col("now")).clip(0).filter(kept).sum(),
                i=pl.col("now").filter(kept).sum(),
            )
            .collect()
            .row(0)
        )
        answer.retention[window.name], answer.revenue[window.name] = row[:5], row[5:]
    months = _places(asked)
    cells = (
        orders.lazy()
        .group_by("customer_id", "month")
        .agg(pl.col("amount").sum())
        .join(customers.lazy().select("customer_id", "cohort"), on="customer_id")
        .group_by("cohort", "month")
        .agg(people=pl.len(), amount=pl.col("amount").sum())
        .collect()
    )
    for cohort, month, people, amount in cells.select(
        "cohort", "month", "people", "amount"
    ).iter_rows():
        answer.cohorts[months[cohort], months[month]] = people, amount
    second = (
        orders.lazy()
        .join(first.lazy(), on="customer_id")
        .filter(pl.col("at") > pl.col("first"))
        .group_by("customer_id")
        .agg(second=pl.col("at").min())
        .collect()
    )
    gaps = customers.lazy().join(second.lazy(), on="customer_id", how="left")
    for days in REPEAT_DAYS:
        step = timedelta(days=days)
        again = (pl.col("second") < pl.col("first") + step).fill_null(False)
        row = gaps.filter(pl.col("first") + step <= as_of).select(again.sum(), pl.len()).collect()
        answer.repeat[str(days)] = row.row(0)
    answer.repeat["lifetime"] = customers.select((pl.col("orders") >= 2).sum(), pl.len()).row(0)
    discounts = pl.DataFrame({"later": range(len(asked.discounts)), "rate": asked.discounts})
    discounts = discounts.with_columns(pl.col("later").cast(pl.Int32))
    firsts = customers.lazy().select("customer_id", "first_ours")

    def worth(flows: pl.LazyFrame) -> pl.LazyFrame:
        return (
            flows.join(firsts, on="customer_id")
            .with_columns(later=(pl.col("month") - pl.col("first_ours")).clip(0))
            .join(discounts.lazy(), on="later")
            .select(
                "customer_id", worth=(pl.col("flow") * pl.col("rate") + 0.5).floor().cast(pl.Int64)
            )
            .group_by("customer_id")
            .agg(pl.col("worth").sum())
        )

    bought = orders.lazy().filter(pl.col("cost").is_not_null())
    back = refunds.lazy().group_by("customer_id").agg(pl.col("back").sum())
    flows = [
        bought.select("customer_id", "month", flow=pl.col("amount") - pl.col("cost")),
        refunds.lazy().select("customer_id", "month", flow=-pl.col("back")),
    ]
    npv = (
        pl.concat([worth(flow) for flow in flows])
        .group_by("customer_id")
        .agg(pl.col("worth").sum())
    )
    size = customers.height

    def score(values: pl.Expr) -> pl.Expr:
        rank = values.rank("min").cast(pl.Int64)
        return ((rank - 1) * 5 // size + 1).clip(upper_bound=5).cast(pl.Int8)

    table = (
        customers.lazy()
        .join(back, on="customer_id", how="left")
        .join(npv, on="customer_id", how="left")
        .with_columns(revenue=pl.col("paid") - pl.col("back").fill_null(0))
        .select(
            "customer_id",
            pl.col("orders").cast(pl.Int64),
            "revenue",
            "first",
            "last",
            pl.col("days").cast(pl.Int64),
            pl.col("first_day").cast(pl.Int32).cast(pl.Int64),
            pl.col("last_day").cast(pl.Int32).cast(pl.Int64),
            recency=score(pl.col("last_day").cast(pl.Int32)),
            frequency=score(pl.col("orders")),
            monetary=score(pl.col("revenue")),
            npv=pl.when(~pl.col("unpriced") & pl.col("first_ours").is_not_null()).then("worth"),
        )
        .sort("customer_id")
        .collect()
    )
    answer.customers = {name: column_of(table[name].to_arrow().cast("int64")) for name in COLUMNS}
    return answer


def _polars_end(orders: Any, refunds: Any, look: datetime, moment: datetime) -> Any:
    """Who was active at a moment, and the revenue of the stretch before it."""
    import polars as pl

    inside = (pl.col("at") >= look) & (pl.col("at") < moment)
    paid = (
        orders.lazy()
        .filter(inside)
        .group_by("customer_id")
        .agg(paid=pl.col("amount").sum(), active=pl.lit(True))
    )
    back = refunds.lazy().filter(inside).group_by("customer_id").agg(pl.col("back").sum())
    revenue = pl.col("paid") - pl.col("back").fill_null(0)
    return (
        paid.join(back, on="customer_id", how="left")
        .select("customer_id", "active", revenue=revenue.clip(0))
        .collect()
    )


def _places(asked: Question) -> dict[int, int]:
    first = asked.months[0].name
    begin = int(first[:4]) * 12 + int(first[5:7]) - 1
    return {begin + place: place for place in range(len(asked.months))}


def column_of(values: Any) -> Any:
    """Return an Arrow column of whole numbers as NumPy, the smallest number for null."""
    return values.fill_null(np.iinfo(np.int64).min).to_numpy(zero_copy_only=False)


# --- SQL ----------------------------------------------------------------------------------------
def shift_sql(column: str, asked: Question) -> str:
    """An instant as the wall clock showed it, by the offsets of the timezone."""
    cases = " ".join(
        f"WHEN {column} >= TIMESTAMP '{since}' THEN INTERVAL '{seconds} seconds'"
        for since, seconds in reversed(asked.shifts[1:])
    )
    first = f"INTERVAL '{asked.shifts[0][1]} seconds'"
    return f"({column} + CASE {cases} ELSE {first} END)" if cases else f"({column} + {first})"


def month_sql(local: str) -> str:
    return f"CAST(EXTRACT(year FROM {local}) * 12 + EXTRACT(month FROM {local}) - 1 AS INTEGER)"


def suite_sql(asked: Question) -> list[tuple[str, str]]:
    """Name and text of each statement; the named ones answer.

    They work on the tables ``o`` (orders), ``r`` (refunds), ``ends``, ``windows`` and ``rates``.
    """
    size = "(SELECT COUNT(*) FROM c)"

    def score(what: str) -> str:
        rank = f"RANK() OVER (ORDER BY {what})"
        return f"LEAST(5, FLOOR(5.0 * ({rank} - 1) / {size}) + 1)"

    repeat = " UNION ALL ".join(
        f"SELECT '{days}', COUNT(*) FILTER (WHERE second < first + INTERVAL '{days} days'), "
        f"COUNT(*) FROM c LEFT JOIN again USING (customer_id) "
        f"WHERE first + INTERVAL '{days} days' <= TIMESTAMP '{naive(asked.as_of)}'"
        for days in REPEAT_DAYS
    )
    return [
        (
            "",
            "CREATE TEMP TABLE c AS SELECT customer_id, COUNT(*) AS orders, "
            "CAST(SUM(amount) AS BIGINT) AS paid, MIN(done) AS first, MAX(done) AS last, "
            "COUNT(DISTINCT day) AS days, MIN(day) AS first_day, MAX(day) AS last_day, "
            "MIN(month) AS cohort, MIN(month) FILTER (WHERE is_ours) AS first_ours, "
            "COUNT(*) FILTER (WHERE is_ours AND cost IS NULL) AS unpriced "
            "FROM o GROUP BY customer_id",
        ),
        (
            "",
            "CREATE TEMP TABLE a AS SELECT p.place, o.customer_id, "
            "CAST(SUM(o.amount) AS BIGINT) AS paid FROM ends p "
            "JOIN o ON o.done >= p.look AND o.done < p.moment GROUP BY 1, 2",
        ),
        (
            "",
            "CREATE TEMP TABLE b AS SELECT p.place, r.customer_id, "
            "CAST(SUM(r.back) AS BIGINT) AS back FROM ends p "
            "JOIN r ON r.done >= p.look AND r.done < p.moment GROUP BY 1, 2",
        ),
        (
            "",
            "CREATE TEMP TABLE m AS SELECT a.place, a.customer_id, "
            "GREATEST(a.paid - COALESCE(b.back, 0), 0) AS revenue "
            "FROM a LEFT JOIN b USING (place, customer_id)",
        ),
        (
            "moves",
            "SELECT w.name, COUNT(s), COUNT(e), COUNT(*) FILTER (WHERE s AND e), "
            "COUNT(*) FILTER (WHERE e AND c.first >= w.start AND c.first < w.until), "
            "COUNT(*) FILTER (WHERE e AND s IS NULL "
            "AND NOT (c.first >= w.start AND c.first < w.until)), "
            "CAST(SUM(was) AS BIGINT), CAST(SUM(GREATEST(was - now, 0)) FILTER (WHERE was > 0) "
            "AS BIGINT), CAST(SUM(now) FILTER (WHERE was > 0) AS BIGINT) FROM ("
            "SELECT place, customer_id, BOOL_OR(s) AS s, BOOL_OR(e) AS e, SUM(was) AS was, "
            "SUM(now) AS now FROM ("
            "SELECT w.place, m.customer_id, TRUE AS s, NULL AS e, m.revenue AS was, 0 AS now "
            "FROM windows w JOIN m ON m.place = w.place_start UNION ALL "
            "SELECT w.place, m.customer_id, NULL, TRUE, 0, m.revenue "
            "FROM windows w JOIN m ON m.place = w.place_until) x GROUP BY 1, 2) y "
            "JOIN windows w USING (place) JOIN c USING (customer_id) GROUP BY w.name",
        ),
        (
            "cohorts",
            "SELECT c.cohort, x.month, COUNT(*), CAST(SUM(x.amount) AS BIGINT) FROM ("
            "SELECT customer_id, month, SUM(amount) AS amount FROM o GROUP BY 1, 2) x "
            "JOIN c USING (customer_id) GROUP BY 1, 2",
        ),
        (
            "",
            "CREATE TEMP TABLE again AS SELECT o.customer_id, MIN(o.done) AS second FROM o "
            "JOIN c ON c.customer_id = o.customer_id AND o.done > c.first GROUP BY 1",
        ),
        ("repeat", repeat),
        ("lifetime", "SELECT COUNT(*) FILTER (WHERE orders >= 2), COUNT(*) FROM c"),
        (
            "",
            "CREATE TEMP TABLE npv AS SELECT customer_id, CAST(SUM(FLOOR("
            "flow * rate + CAST(0.5 AS DOUBLE PRECISION))) AS BIGINT) AS worth FROM ("
            "SELECT customer_id, month, amount - cost AS flow FROM o WHERE cost IS NOT NULL "
            "UNION ALL SELECT customer_id, month, -back FROM r) f JOIN c USING (customer_id) "
            "JOIN rates ON rates.later = GREATEST(f.month - c.first_ours, 0) GROUP BY 1",
        ),
        (
            "customers",
            "SELECT customer_id, orders, revenue, first, last, days, first_day, last_day, "
            f"{score('last_day')} AS recency, {score('orders')} AS frequency, "
            f"{score('revenue')} AS monetary, npv FROM ("
            "SELECT c.*, c.paid - COALESCE(x.back, 0) AS revenue, CASE WHEN c.unpriced = 0 "
            "AND c.first_ours IS NOT NULL THEN npv.worth END AS npv FROM c LEFT JOIN "
            "(SELECT customer_id, CAST(SUM(back) AS BIGINT) AS back FROM r GROUP BY 1) x "
            "USING (customer_id) LEFT JOIN npv USING (customer_id)) t ORDER BY customer_id",
        ),
    ]


def asked_rows(asked: Question) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """The rows of the tables ``ends`` and ``windows``."""
    place = {moment: at for at, moment in enumerate(asked.moments)}
    ends = [(at, naive(look), naive(moment)) for (look, moment), at in place.items()]
    windows = [
        (
            at,
            w.name,
            naive(w.start),
            naive(w.until),
            place[w.look_start, w.start],
            place[w.look_until, w.until],
        )
        for at, w in enumerate(asked.windows)
    ]
    return ends, windows


def read_answers(asked: Question, rows: dict[str, Any], customers: dict[str, Any]) -> Answer:
    """Put the rows of the named statements into an answer."""
    places = _places(asked)
    answer = Answer(customers=customers)
    for name, *numbers in rows["moves"]:
        answer.retention[name] = tuple(numbers[:5])
        answer.revenue[name] = tuple(int(number or 0) for number in numbers[5:])
    for cohort, month, people, amount in rows["cohorts"]:
        answer.cohorts[places[cohort], places[month]] = people, amount
    for days, again, mature in rows["repeat"]:
        answer.repeat[days] = again, mature
    answer.repeat["lifetime"] = tuple(rows["lifetime"][0])
    return answer


def in_duckdb(asked: Question) -> Answer:
    import duckdb
    import pyarrow as pa

    as_of = f"TIMESTAMP '{naive(asked.as_of)}'"

    def parquet(table: str) -> str:
        return f"read_parquet({[str(path) for path in asked.paths[table]]})"

    def stands(since: str, until: str) -> str:
        return f"{since} <= {as_of} AND ({until} IS NULL OR {until} > {as_of})"

    ends, windows = asked_rows(asked)
    with duckdb.connect() as run:
        run.execute("CREATE TABLE ends (place INTEGER, look TIMESTAMP, moment TIMESTAMP)")
        run.executemany("INSERT INTO ends VALUES (?, ?, ?)", ends)
        run.execute(
            "CREATE TABLE windows (place INTEGER, name TEXT, start TIMESTAMP, until TIMESTAMP, "
            "place_start INTEGER, place_until INTEGER)"
        )
        run.executemany("INSERT INTO windows VALUES (?, ?, ?, ?, ?, ?)", windows)
        rates = pa.table({"later": range(len(asked.discounts)), "rate": asked.discounts})
        run.register("rates", rates)
        is_ours = f"currency = '{asked.currency}'"
        local = shift_sql("done", asked)
        run.execute(
            f"CREATE TEMP TABLE o AS SELECT *, {month_sql('local')} AS month, "
            "CAST(local AS DATE) - DATE '1970-01-01' AS day FROM (SELECT *, "
            f"{local} AS local FROM (SELECT COALESCE(person_id, customer_id) AS customer_id, "
            f"order_id, ordered_at AS done, CASE WHEN {is_ours} THEN amount ELSE 0 END AS amount, "
            f"CASE WHEN {is_ours} THEN cost END AS cost, {is_ours} AS is_ours "
            f"FROM {parquet('order_states')} LEFT JOIN (SELECT record_id, person_id "
            f"FROM {parquet('links')} WHERE {stands('linked_at', 'until')}) l "
            f"ON l.record_id = customer_id WHERE {stands('valid_from', 'valid_until')} "
            f"AND status <> 'cancelled' AND ordered_at < {as_of} AND customer_id IS NOT NULL))"
        )
        run.execute(
            f"CREATE TEMP TABLE r AS SELECT customer_id, done, back, {month_sql(local)} AS month "
            f"FROM (SELECT order_id, refunded_at AS done, amount AS back FROM {parquet('refunds')} "
            f"WHERE {stands('recorded_at', 'taken_back_at')} AND refunded_at < {as_of} "
            f"AND {is_ours}) JOIN (SELECT order_id, customer_id FROM o) USING (order_id)"
        )
        rows, customers = {}, {}
        for name, sql in suite_sql(asked):
            if name == "customers":
                table = run.sql(sql).to_arrow_table()
                for column in COLUMNS:
                    values = table.column(column)
                    customers[column] = column_of(values.cast("int64"))
            else:
                run.execute(sql)
                if name:
                    rows[name] = run.fetchall()
    return read_answers(asked, rows, customers)


def in_postgres(run: Any, asked: Question) -> tuple[dict[str, Any], list[int]]:
    """Carry the suite out on an open connection to the product's database.

    Returns the rows of the named statements, and the sums of the columns of customers, who stay in
    a table: a million rows are not sent anywhere.
    """
    as_of = f"TIMESTAMPTZ '{naive(asked.as_of)}+00'"
    ends, windows = asked_rows(asked)
    local = shift_sql("done", asked)
    is_ours = f"currency = '{asked.currency}'"
    states = " UNION ALL ".join(
        f"SELECT {key} AS order_id, customer_id, ordered_at, amount, cost, currency, status "
        f"FROM {table} WHERE {known}"
        for key, table, known in (
            ("id", "crm_order", f"revised_at <= {as_of}"),
            (
                "order_id",
                "crm_orderversion",
                f"recorded_from <= {as_of} AND recorded_until > {as_of}",
            ),
        )
    )
    for sql in (
        "SET work_mem = '256MB'",
        "CREATE TEMP TABLE ends (place INTEGER, look TIMESTAMP, moment TIMESTAMP)",
        "CREATE TEMP TABLE windows (place INTEGER, name TEXT, start TIMESTAMP, until TIMESTAMP, "
        "place_start INTEGER, place_until INTEGER)",
        "CREATE TEMP TABLE rates (later INTEGER, rate DOUBLE PRECISION)",
    ):
        run.execute(sql)
    cursor = run.cursor()
    cursor.executemany("INSERT INTO ends VALUES (%s, %s, %s)", ends)
    cursor.executemany("INSERT INTO windows VALUES (%s, %s, %s, %s, %s, %s)", windows)
    cursor.executemany("INSERT INTO rates VALUES (%s, %s)", list(enumerate(asked.discounts)))
    run.execute(
        f"CREATE TEMP TABLE o AS SELECT *, {month_sql('local')} AS month, "
        "CAST(local AS DATE) - DATE '1970-01-01' AS day FROM (SELECT *, "
        f"{local} AS local FROM (SELECT COALESCE(person_id, customer_id) AS customer_id, "
        "order_id, ordered_at AT TIME ZONE 'UTC' AS done, "
        f"CASE WHEN {is_ours} THEN amount ELSE 0 END AS amount, "
        f"CASE WHEN {is_ours} THEN cost END AS cost, {is_ours} AS is_ours "
        f"FROM ({states}) s LEFT JOIN (SELECT record_id, person_id FROM crm_identitylink "
        f"WHERE linked_at <= {as_of} AND (until IS NULL OR until > {as_of})) l "
        f"ON l.record_id = customer_id WHERE status <> 'cancelled' AND ordered_at < {as_of} "
        "AND customer_id IS NOT NULL) x) y"
    )
    run.execute(
        f"CREATE TEMP TABLE r AS SELECT customer_id, done, back, {month_sql(local)} AS month "
        "FROM (SELECT g.order_id, g.refunded_at AT TIME ZONE 'UTC' AS done, g.amount AS back "
        "FROM crm_refund g LEFT JOIN crm_refund n ON n.replaces_id = g.id "
        f"AND n.recorded_at <= {as_of} WHERE g.recorded_at <= {as_of} AND n.id IS NULL "
        f"AND g.refunded_at < {as_of} AND g.currency = '{asked.currency}') b "
        "JOIN (SELECT order_id, customer_id FROM o) p USING (order_id)"
    )
    run.execute("ANALYZE o")
    rows, sums = {}, []
    for name, sql in suite_sql(asked):
        if name == "customers":
            run.execute(f"CREATE TEMP TABLE found AS {sql}")
            columns = ", ".join(
                f"CAST(SUM({column}) AS BIGINT)"
                for column in COLUMNS
                if column not in ("first", "last")
            )
            sums = list(run.execute(f"SELECT {columns} FROM found").fetchone())
        else:
            done = run.execute(sql)
            if name:
                rows[name] = done.fetchall()
            elif sql.startswith("CREATE TEMP TABLE"):
                run.execute(f"ANALYZE {sql.split()[3]}")
    return rows, sums
