"""A bank's day: what members, tills and time do to points, in processes that may die at any moment.

Every operation has a number and does the same whenever it is done again. A process notes in a file
of its own, on the disk before it goes on, what it was answered; one that was killed begins anew
where its file ends, so that what it was at is asked for a second time.
"""

from __future__ import annotations

import json
import logging
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.core.management import call_command
from django.db import InterfaceError, OperationalError, connection, transaction
from django.urls import get_resolver
from rest_framework.test import APIClient

from accounts.models import Role, User
from accounts.services import create_api_key
from common.errors import DomainError
from common.models import Event
from common.time import now
from crm.models import Customer, Merge, Order, Refund
from crm.services.merges import merge_customers, undo_merge
from crm.services.refunds import RefundIdTaken, record_refund
from loyalty.models import Adjustment, Hold, PointsAccount, PointsTransaction, Redemption, Reward
from loyalty.selectors import get_programme, verify_ledger
from loyalty.selectors.balances import balances_of
from loyalty.services import open_programme
from loyalty.services.accrual import award_points
from loyalty.services.adjustments import request_adjustment
from loyalty.services.expiry import expire_due
from loyalty.services.holds import capture_hold, hold_points, time_out_due, void_hold
from loyalty.services.opening import Opening, open_balances
from loyalty.services.redemption_reversal import reverse_redemption
from loyalty.services.rewards import add_reward
from loyalty.services.settlement import settle_order
from loyalty.services.sweeps import accrue_due, release_due
from tests.faults import importing  # noqa: F401 - the product, loaded once

get_resolver().url_patterns  # noqa: B018 - read once, not by every process that is begun
MEMBERS, PAIRS = 60, 12  # the members, and those who come in pairs that are merged and parted
REDEMPTIONS = "/api/v1/loyalty/redemptions/"
ACTOR = "system"
KINDS = {
    "earn": 30,
    "refund": 8,
    "redeem": 16,
    "reverse": 6,
    "hold": 12,
    "capture": 6,
    "void": 4,
    "adjust": 6,
    "sweep": 4,
    "merge": 3,
    "split": 2,
    "other": 3,  # an earlier key with another payload
}
FOLLOWS = {
    "refund": "earn",
    "reverse": "redeem",
    "capture": "hold",
    "void": "hold",
    "split": "merge",
    "other": "hold",
}
TWICE = ("earn", "redeem", "hold", "adjust")  # asked for by two processes at once
DOUBLES = 0.1


class Operation(NamedTuple):
    """One operation. number: names it; of a double, that of the operation it repeats.

    after: the number of the operation whose answer it needs.
    """

    number: int
    kind: str
    who: int
    points: int
    after: int = 0


def plan(count: int, processes: int, seed: int) -> list[list[Operation]]:
    """Return what each process does, in its order; together ``count`` operations."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    lists: list[list[Operation]] = [[] for _process in range(processes)]
    kinds, weights = list(KINDS), list(KINDS.values())
    for number in range(1, count + 1):
        own, before = lists[number % processes], lists[(number - 1) % processes]
        if before and before[-1].kind in TWICE and chance.random() < DOUBLES / 0.64:
            own.append(before[-1])  # the neighbour is at it, or just was
            continue
        [kind] = chance.choices(kinds, weights)
        earlier = [one for one in own[-60:] if one.kind == FOLLOWS.get(kind)]
        if kind in FOLLOWS and not earlier:
            kind = "earn"
        after = chance.choice(earlier).number if kind in FOLLOWS else 0
        who = chance.randrange(MEMBERS)
        own.append(Operation(number, kind, who, chance.randrange(1, 120), after))
    return lists


def prepare(folder: Path, count: int, processes: int, seed: int) -> None:
    """A programme, members with points that lapse now and then, rewards, and every purchase."""
    call_command("migrate", verbosity=0)
    moment = now()
    open_programme(
        name="Points",
        starts_at=moment - timedelta(days=9),
        happened_at=moment - timedelta(days=9),
        actor=ACTOR,
        points=1,
        pending_days=0,
        point_value=Decimal("0.01"),
        validity_days=400,
    )
    people = [
        Customer(name=f"Member {number}", external_id=f"c{number}", recorded_at=moment)
        for number in range(MEMBERS + PAIRS)
    ]
    Customer.objects.bulk_create(people)
    customers = _customers()
    soon = {n: moment + timedelta(seconds=2 + n // 8) for n in range(MEMBERS + PAIRS)}
    with transaction.atomic():
        open_balances(
            programme=get_programme(),
            openings={customers[n]: Opening(lots=((None, 60), (soon[n], 60))) for n in soon},
            actor=ACTOR,
        )
    add_reward(
        kind="discount", name="5 off", points=100, value=Decimal(5), happened_at=moment, actor=ACTOR
    )
    add_reward(
        kind="discount",
        name="Rare",
        points=50,
        value=Decimal(9),
        stock=count // 40,
        happened_at=moment,
        actor=ACTOR,
    )
    earned = {one for own in plan(count, processes, seed) for one in own if one.kind == "earn"}
    Order.objects.bulk_create(
        [
            Order(
                external_id=f"o{one.number}",
                customer_id=customers[_place(one)],
                entry=Order.Entry.LIVE,
                ordered_at=moment - timedelta(hours=1),
                delivered_at=moment - timedelta(hours=1),
                amount=Decimal(one.points),
                currency=settings.KEEPWELL_CURRENCY,
                recorded_at=moment,
                revised_at=moment,
            )
            for one in sorted(earned)
        ],
        batch_size=500,
    )
    User.objects.create_user(email="mara@shop.example", role=Role.MANAGER)
    (folder / "key").write_text(create_api_key(name="till", role=Role.ADMIN, created_at=moment)[1])


def operate(folder: Path, slot: int, count: int, processes: int, seed: int) -> None:
    """Do a process's share, from where its file ends."""
    Bank(folder, slot).work(plan(count, processes, seed)[slot])


class Bank:
    """One process at work."""

    def __init__(self, folder: Path, slot: int) -> None:
        settings.ALLOWED_HOSTS = ["*"]
        logging.disable(logging.ERROR)
        self.client = APIClient(raise_request_exception=False)
        self.client.credentials(HTTP_AUTHORIZATION=f"Bearer {(folder / 'key').read_text()}")
        self.path = folder / f"answers-{slot}"
        self.answers: dict[int, Any] = {}
        self.done = 0
        for said in read_answers(self.path):
            self.answers[said["number"]] = said["answer"]
            self.done += 1

    def work(self, operations: list[Operation]) -> None:
        """Do what is left of them, in order; note every answer on the disk before going on."""
        self.ids = {
            "customers": _customers(),
            "rewards": dict(Reward.objects.values_list("name", "ref")),
        }
        with self.path.open("a") as notes:
            if self.path.stat().st_size:
                notes.write("\n")  # a line that a kill cut short ends here
            for one in operations[self.done :]:
                began = time.monotonic()
                answer, lost = self._answer(one)
                said = {
                    "number": one.number,
                    "kind": one.kind,
                    "answer": answer,
                    "seconds": round(time.monotonic() - began, 4),
                    "lost": lost,
                }
                notes.write(json.dumps(said) + "\n")
                notes.flush()
                os.fsync(notes.fileno())
                self.answers[one.number] = answer

    def _answer(self, one: Operation) -> tuple[Any, list[str]]:
        """Ask until the database answers; return that, and why it did not before."""
        lost: list[str] = []
        while True:
            try:
                return getattr(self, f"_{one.kind}")(one), lost
            except DomainError as error:
                if error.code != "points_moved":
                    return {"refused": error.code}, lost
            except (OperationalError, InterfaceError) as error:
                if "locked" in str(error):
                    raise
                connection.close()
                lost.append(str(error).split("\n", 1)[0])
                time.sleep(0.1)

    def _customer(self, one: Operation) -> int:
        return int(self.ids["customers"][_place(one)])

    def _before(self, one: Operation, name: str) -> int:
        """What an earlier operation answered.

        :raises NothingBefore: it was refused.
        """
        answer = self.answers[one.after]
        if name not in answer:
            raise NothingBefore
        return int(answer[name])

    def _earn(self, one: Operation) -> Any:
        order = Order.objects.get(external_id=f"o{one.number}")
        written = award_points(order_id=order.pk, happened_at=now(), actor=ACTOR)
        return {"transaction": written.pk, "order": order.pk, "points": written.points}

    def _refund(self, one: Operation) -> Any:
        order_id, known = self._before(one, "order"), f"r{one.number}"
        with suppress(RefundIdTaken):  # asked before; even if that commits a moment from now
            record_refund(
                order_id=order_id,
                refunded_at=now(),
                happened_at=now(),
                actor=ACTOR,
                amount=Decimal(one.points) / 4,
                external_id=known,
            )
        settle_order(order_id=order_id, happened_at=now(), actor=ACTOR)
        refund = Refund.objects.get(external_id=known)
        return {"refund": refund.pk}

    def _redeem(self, one: Operation) -> Any:
        return self.redeem(one.number, one.who, one.points)

    def redeem(self, number: int, who: int, points: int) -> Any:
        """Ask the API as a till does, under a key of the operation's."""
        customer = f"c{who}" if number % 5 else f"c{MEMBERS + who % PAIRS}"
        reward = "Rare" if points % 3 == 0 else "5 off"
        body = {"customer": customer, "reward": self.ids["rewards"][reward]}
        while True:
            answer = self.client.post(
                REDEMPTIONS, body, format="json", HTTP_IDEMPOTENCY_KEY=f"key-{number}"
            )
            told = answer.json()
            if answer.status_code == 201:
                return {"redemption": Redemption.objects.get(ref=told["ref"]).pk}
            if answer.status_code == 409:
                return {"refused": told["code"]}
            error = getattr(answer, "exc_info", None)
            if answer.status_code not in (429, 500, 503) or "locked" in str(error):
                raise AssertionError(f"{answer.status_code} {told} {error}")
            connection.close()  # the database is away; what it did not write it won't remember
            time.sleep(0.1)

    def _reverse(self, one: Operation) -> Any:
        reversed_ = reverse_redemption(
            redemption_id=self._before(one, "redemption"), happened_at=now(), actor=ACTOR
        )
        return {"reversed": reversed_.pk}

    def _hold(self, one: Operation) -> Any:
        return {"hold": self._set_aside(one, one.points).pk}

    def _set_aside(self, one: Operation, points: int) -> Hold:
        return hold_points(
            customer_id=self._customer(one),
            points=points,
            source_key=f"hold-{one.number}",
            happened_at=now(),
            actor=ACTOR,
            minutes=1,
        )

    def _capture(self, one: Operation) -> Any:
        hold = Hold.objects.get(pk=self._before(one, "hold"))
        taken = capture_hold(
            hold_id=hold.pk, happened_at=now(), actor=ACTOR, points=max(1, hold.points // 2)
        )
        return {"captured": taken.pk, "transaction": taken.transaction_id}

    def _void(self, one: Operation) -> Any:
        hold = void_hold(hold_id=self._before(one, "hold"), happened_at=now(), actor=ACTOR)
        return {"voided": hold.pk}

    def _adjust(self, one: Operation) -> Any:
        adjustment = request_adjustment(
            customer_id=self._customer(one),
            points=one.points - 40 or 1,
            reason=Adjustment.Reason.GOODWILL,
            author_id=User.objects.get(email="mara@shop.example").pk,
            source_key=f"adjust-{one.number}",
            happened_at=now(),
        )
        return {"adjustment": adjustment.pk}

    def _sweep(self, one: Operation) -> Any:
        sweeps: list[Callable[..., int]] = [expire_due, release_due, time_out_due]
        sweeps[one.number % 3](now())
        return {}

    def _merge(self, one: Operation) -> Any:
        people, pair = self.ids["customers"], one.who % PAIRS
        merge = merge_customers(
            person_id=people[pair],
            record_id=people[MEMBERS + pair],
            source="staff",
            happened_at=now(),
            actor=ACTOR,
        )
        return {"merge": merge.pk}

    def _split(self, one: Operation) -> Any:
        merge = Merge.objects.get(pk=self._before(one, "merge"))
        undo_merge(merge_ref=merge.ref, happened_at=now(), actor=ACTOR)
        return {"split": merge.pk}

    def _other(self, one: Operation) -> Any:
        """Ask for other points under a key that stands for a hold already."""
        hold = Hold.objects.get(pk=self._before(one, "hold"))
        changed = hold_points(
            customer_id=PointsAccount.objects.get(pk=hold.account_id).membership.customer_id,
            points=hold.points + 1,
            source_key=hold.source_key,
            happened_at=now(),
            actor=ACTOR,
            minutes=1,
        )
        return {"changed": changed.pk}


class NothingBefore(DomainError):
    """What this would have followed was refused."""

    code = "nothing_before"


def settle_down() -> None:
    """Let every sweep find what is due still, as the worker's next wake-ups would."""
    accrue_due(now(), everything=True)
    time_out_due(now())
    release_due(now())
    expire_due(now())


def retry_refused(folder: Path) -> dict[str, tuple[str, str]]:
    """Give everybody plenty, ask again for what was refused; return key → (then, again) if other.

    Under the same keys: every refusal must stand.
    """
    moment = now()
    for pk in PointsAccount.objects.values_list("membership__customer_id", flat=True):
        order = Order.objects.create(
            customer_id=pk,
            entry=Order.Entry.LIVE,
            ordered_at=moment,
            delivered_at=moment,
            amount=Decimal(50_000),
            currency=settings.KEEPWELL_CURRENCY,
            recorded_at=moment,
            revised_at=moment,
        )
        award_points(order_id=order.pk, happened_at=moment, actor=ACTOR)
    bank = Bank(folder, -1)
    bank.ids = {"rewards": dict(Reward.objects.values_list("name", "ref"))}
    operations = json.loads((folder / "redeems").read_text())
    changed = {}
    for number, who, points, code in operations:
        again = bank.redeem(number, who, points)
        if again != {"refused": code}:
            changed[f"key-{number}"] = (code, str(again))
    return changed


def written() -> dict[str, Any]:
    """All that the operations wrote, by what they were answered, and what doesn't add up."""
    earned = PointsTransaction.objects.filter(kind="earn")
    accounts = list(PointsAccount.objects.all())
    balances = balances_of(accounts, now()).values()
    return {
        "transaction": sorted(
            PointsTransaction.objects.filter(
                source_key__regex=r"^(earn:order|capture:hold):"
            ).values_list("pk", flat=True)
        ),
        "orders_earned": earned.count(),
        "refund": sorted(Refund.objects.values_list("pk", flat=True)),
        "refunds_answered": PointsTransaction.objects.filter(
            source_key__startswith="refund:"
        ).count(),
        "redemption": sorted(Redemption.objects.values_list("pk", flat=True)),
        "reversed": _ids(Redemption.objects.filter(status="reversed")),
        "restored": PointsTransaction.objects.filter(kind="restore")
        .values("reverses")
        .distinct()
        .count(),
        "hold": _ids(Hold.objects.all()),
        "captured": _ids(Hold.objects.filter(status="captured")),
        "voided_or_over": _ids(Hold.objects.filter(status__in=["voided", "expired"])),
        "adjustment": _ids(Adjustment.objects.all()),
        "merge": _ids(Merge.objects.all()),
        "split": _ids(Merge.objects.filter(undone_at__isnull=False)),
        "below_zero": sum(
            min(one.pending, one.active, one.held, one.debt, one.available) < 0 for one in balances
        ),
        "members_in_debt": sum(one.debt > 0 for one in balances),
        "drifts": [str(drift) for drift in verify_ledger().drifts],
        "expired": PointsTransaction.objects.filter(kind="expire").count(),
        "events": Event.objects.filter(kind="points.earned").count(),
    }


def read_answers(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the answers that a process noted; a line that a kill cut short is none."""
    lines = path.read_text().split("\n") if path.exists() else []
    for line in lines:
        with suppress(json.JSONDecodeError):
            yield json.loads(line)


def _ids(rows: Any) -> list[int]:
    return sorted(rows.values_list("pk", flat=True))


def _place(one: Operation) -> int:
    """Whom it is about: every fifth of those who come in pairs."""
    return one.who if one.number % 5 else MEMBERS + one.who % PAIRS


def _customers() -> dict[int, int]:
    return {
        int(external_id[1:]): pk
        for external_id, pk in Customer.objects.filter(external_id__startswith="c").values_list(
            "external_id", "pk"
        )
    }
