"""Invented people: names, addresses and tongues by seed; none of them is anybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

POOL = 400  # first and last names per language
SHARE_OF_LANGUAGES = (0.62, 0.23, 0.15)
SHARE_WITH_PHONE = 0.5
SHARE_WITH_CONSENT = 0.6
ACQUIRED_BY = ("walk-in", "mailer", "friend", "web")
SHARE_OF_WAYS = (0.45, 0.25, 0.2, 0.1)
COSTS_OF_WAYS = (6.0, 28.0, 15.0, 36.0)  # what winning a customer costs, on average
SHARE_OF_KNOWN_COSTS = 0.9
INDUSTRIES = ("", "Restaurant", "Office")
SHARE_OF_INDUSTRIES = (0.92, 0.05, 0.03)
TAGS = ("", "family", "organic", "family; organic")
SHARE_OF_TAGS = (0.75, 0.12, 0.1, 0.03)
# Number ranges that no one is given: fictional in the US, no such area codes elsewhere.
PHONES = ("+1 202 555 01{:02d}", "+7 000 555 01 {:02d}", "+86 000 5550 01{:02d}")
HEADER = [
    "external_id",
    "name",
    "email",
    "phone",
    "language",
    "country",
    "birth_date",
    "acquired_at",
    "source",
    "industry",
    "location",
    "tags",
    "marketing_consent",
    "acquisition_cost",
]


@dataclass(frozen=True, slots=True)
class Tongue:
    """Names of one language. order: how first and last name make a full name."""

    code: str
    locale: str
    order: str


TONGUES = (
    Tongue("en", "en_US", "{first} {last}"),
    Tongue("ru", "ru_RU", "{first} {last}"),
    Tongue("zh-hans", "zh_CN", "{last}{first}"),
)


class People:
    """Invents people; the same seed and the same ids in the same chunks give the same people."""

    def __init__(self, seed: int) -> None:
        from faker import Faker

        self.seed = seed
        self.pools: list[tuple[list[str], list[str]]] = []
        for tongue in TONGUES:
            faker = Faker(tongue.locale)
            faker.seed_instance(seed)
            # Russian last names agree with first names; women's keep it simple and right.
            first, last = (
                (faker.first_name_female, faker.last_name_female)
                if tongue.code == "ru"
                else (faker.first_name, faker.last_name)
            )
            self.pools.append(([first() for _n in range(POOL)], [last() for _n in range(POOL)]))

    def columns(
        self,
        *,
        block: int,
        ids: Sequence[str],
        acquired_at: Sequence[str],
        locations: Sequence[str],
    ) -> dict[str, list[str]]:
        """Return one chunk of the customers file. block: number of the chunk, for the seed."""
        import numpy as np

        rng = np.random.default_rng([self.seed, 1, block])
        count = len(ids)
        tongues = rng.choice(len(TONGUES), count, p=SHARE_OF_LANGUAGES).tolist()
        firsts = rng.integers(POOL, size=count).tolist()
        lasts = rng.integers(POOL, size=count).tolist()
        has_phone = (rng.random(count) < SHARE_WITH_PHONE).tolist()
        says_yes = (rng.random(count) < SHARE_WITH_CONSENT).tolist()
        born = (np.datetime64("1940-01-01") + rng.integers(0, 365 * 65, count)).astype(str)
        ways = rng.choice(len(ACQUIRED_BY), count, p=SHARE_OF_WAYS)
        costs = np.array(COSTS_OF_WAYS)[ways] * rng.uniform(0.5, 1.5, count)
        is_known = rng.random(count) < SHARE_OF_KNOWN_COSTS
        industries = rng.choice(len(INDUSTRIES), count, p=SHARE_OF_INDUSTRIES)
        tags = rng.choice(len(TAGS), count, p=SHARE_OF_TAGS)
        names, phones = [], []
        for place, tongue in enumerate(tongues):
            first, last = self.pools[tongue]
            names.append(
                TONGUES[tongue].order.format(first=first[firsts[place]], last=last[lasts[place]])
            )
            phones.append(PHONES[tongue].format(lasts[place] % 100) if has_phone[place] else "")
        columns: dict[str, Any] = {
            "external_id": list(ids),
            "name": names,
            "email": [f"customer-{text}@example.org" for text in ids],
            "phone": phones,
            "language": [TONGUES[tongue].code for tongue in tongues],
            "country": ["US"] * count,
            "birth_date": born.tolist(),
            "acquired_at": list(acquired_at),
            "source": np.array(ACQUIRED_BY)[ways].tolist(),
            "industry": np.array(INDUSTRIES)[industries].tolist(),
            "location": list(locations),
            "tags": np.array(TAGS)[tags].tolist(),
            "marketing_consent": ["yes" if yes else "" for yes in says_yes],
            "acquisition_cost": [
                f"{cost:.2f}" if known else ""
                for cost, known in zip(costs.tolist(), is_known.tolist(), strict=True)
            ],
        }
        return columns
