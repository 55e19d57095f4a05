"""The demo's purchases, few enough for a test."""

import pytest

from config.demo import completejourney


@pytest.fixture(scope="session")
def few_purchases(tmp_path_factory):
    """A folder with the purchases of every thirtieth household only."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    real, small = completejourney._folder(), tmp_path_factory.mktemp("purchases")
    lines = pq.read_table(real / "transactions.parquet")
    households = lines["household_id"]
    every_thirtieth = pc.equal(pc.multiply(pc.divide(households, 30), 30), households)
    lines = lines.filter(every_thirtieth)
    products = pq.read_table(real / "products.parquet")
    sold = pc.is_in(products["product_id"], pc.unique(lines["product_id"]))
    pq.write_table(lines, small / "transactions.parquet")
    pq.write_table(products.filter(sold), small / "products.parquet")
    return small


@pytest.fixture
def few(few_purchases, monkeypatch):
    """Loads read that folder."""
    monkeypatch.setattr(completejourney, "_folder", lambda: few_purchases)
