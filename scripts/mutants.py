"""Take away one guard of the points ledger at a time: tests must fail, every time.

Works in a copy of the working tree. The same tests run first with every guard in place, and must
pass: a broken test would "notice" anything. Ends with 1 when there is a guard whose absence none
notices.

    .venv/bin/python scripts/mutants.py [WORD …]    # only guards with such a word in their name
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
SERVICES, TESTS = "loyalty/services", "tests/loyalty"
AT_ONCE = f"{TESTS}/test_spending_at_once.py"


class Guard(NamedTuple):
    """Something that keeps points safe, and what notices when it is gone.

    cuts: (file, text, what stands there instead); every text must be there.
    tests: some of these must fail.  needs_postgres: on SQLite the file's lock would hide it.
    """

    name: str
    cuts: tuple[tuple[str, str, str], ...]
    tests: tuple[str, ...]
    needs_postgres: bool = False


GUARDS = (
    Guard(
        "account lock",
        ((f"{SERVICES}/ledger.py", ".select_for_update()", ".all()"),),
        (AT_ONCE,),
        needs_postgres=True,
    ),
    Guard(
        "unique source key",
        (
            (
                "loyalty/migrations/0001_initial.py",
                "('source_key', models.CharField(max_length=80, unique=True)",
                "('source_key', models.CharField(max_length=80)",
            ),
            (
                "loyalty/models/ledger.py",
                "source_key = models.CharField(max_length=80, unique=True)",
                "source_key = models.CharField(max_length=80)",
            ),
        ),
        (f"{AT_ONCE}::test_one_key_sent_for_many_members_is_one_redemption",),
        needs_postgres=True,
    ),
    Guard(
        "look-up of the source key",
        (
            (
                f"{SERVICES}/ledger.py",
                "filter(source_key=source_key).first()",
                "none().first()",
            ),
        ),
        (f"{TESTS}/test_redemptions.py",),
    ),
    Guard(
        "request hash",
        (
            (
                f"{SERVICES}/ledger.py",
                "if recorded is not None and recorded.request_hash != request_hash:",
                "if False:",
            ),
        ),
        (f"{TESTS}/test_redemptions.py", f"{TESTS}/test_ledger.py"),
    ),
    Guard(
        "expiry check",
        (
            (
                f"{SERVICES}/consumption.py",
                "Q(expires_at__isnull=True) | Q(expires_at__gt=clock),",
                "",
            ),
            (
                f"{SERVICES}/catch_up.py",
                "lots.filter(expires_at__lte=clock), *others",
                "lots.none(), *others",
            ),
        ),
        (f"{TESTS}/test_redemptions.py", f"{TESTS}/test_expiry.py"),
    ),
    Guard(
        "start of a lot",
        (
            (f"{SERVICES}/consumption.py", "            bucket=Bucket.ACTIVE,\n", ""),
            (f"{SERVICES}/consumption.py", "            available_from__lte=clock,\n", ""),
        ),
        (f"{TESTS}/test_redemptions.py",),
    ),
    Guard(
        "availability",
        ((f"{SERVICES}/consumption.py", "if points > available:", "if False:"),),
        (f"{TESTS}/test_redemptions.py", f"{TESTS}/test_holds.py"),
    ),
    Guard(
        "order of lots",
        (
            (
                f"{SERVICES}/consumption.py",
                '.order_by(F("expires_at").asc(nulls_last=True), "pk")',
                '.order_by("-pk")',
            ),
        ),
        (f"{TESTS}/test_redemptions.py", f"{TESTS}/test_holds.py"),
    ),
    Guard(
        "held points stay",
        ((f"{SERVICES}/consumption.py", "lot.remaining - lot.held", "lot.remaining"),),
        (f"{TESTS}/test_redemptions.py", f"{TESTS}/test_holds.py"),
    ),
    Guard(
        "hold limit",
        (
            (
                f"{SERVICES}/holds.py",
                "check_points(hold.points if points is None else points, highest=hold.points)",
                "check_points(hold.points if points is None else points)",
            ),
        ),
        (f"{TESTS}/test_holds.py",),
    ),
    Guard(
        "a hold ends once",
        ((f"{SERVICES}/holds.py", "    if hold.status != Status.OPEN:\n", "    if False:\n"),),
        (f"{TESTS}/test_holds.py",),
    ),
    Guard(
        "time of a hold",
        (
            (
                f"{SERVICES}/holds.py",
                "if is_over or hold.status == Status.EXPIRED:",
                "if hold.status == Status.EXPIRED:",
            ),
        ),
        (f"{TESTS}/test_holds.py",),
    ),
    Guard(
        "held of an account, by the database",
        (
            (
                "loyalty/migrations/0001_initial.py",
                "models.Q(('held__gte', 0), ('held__lte', models.F('active')))",
                "models.Q(('held__gte', 0))",
            ),
            (
                "loyalty/models/ledger.py",
                'Q(held__gte=0) & Q(held__lte=F("active"))',
                "Q(held__gte=0)",
            ),
        ),
        (f"{TESTS}/test_ledger.py",),
    ),
    Guard(
        "held of a lot, by the database",
        (
            (
                "loyalty/migrations/0004_programme_in_full.py",
                "models.Q(('held__gte', 0), ('held__lte', models.F('remaining')))",
                "models.Q(('held__gte', 0))",
            ),
            (
                "loyalty/models/ledger.py",
                'Q(held__gte=0) & Q(held__lte=F("remaining"))',
                "Q(held__gte=0)",
            ),
        ),
        (f"{TESTS}/test_ledger.py",),
    ),
    Guard(
        "debt is settled first",
        ((f"{SERVICES}/ledger.py", "        if points > 0:\n", "        if False:\n"),),
        (f"{TESTS}/test_reversal.py", f"{TESTS}/test_redemptions.py"),
    ),
    Guard(
        "append-only triggers",
        (
            (
                "common/append_only.py",
                "    _install(using, with_licences=True)",
                "    return",
            ),
        ),
        (f"{TESTS}/test_append_only.py", f"{TESTS}/test_ledger.py"),
    ),
    Guard(
        "time is booked before a write",
        (
            (
                f"{SERVICES}/spending.py",
                "        catch_up({self.locked.id: self.locked}, clock)\n",
                "",
            ),
        ),
        (f"{TESTS}/test_redemptions.py", f"{TESTS}/test_holds.py"),
    ),
    Guard(
        "stock",
        (
            (
                f"{SERVICES}/redemptions.py",
                "filter(pk=reward.pk, stock__gt=0)",
                "filter(pk=reward.pk)",
            ),
        ),
        (f"{AT_ONCE}::test_the_last_piece_of_stock_goes_to_one_member",),
        needs_postgres=True,
    ),
    Guard(
        "a voucher is used once",
        (
            (
                f"{SERVICES}/vouchers.py",
                '        Redemption.objects.select_for_update(of=("self",))\n'
                '        .select_related("reward__programme"',
                '        Redemption.objects\n        .select_related("reward__programme"',
            ),
        ),
        (f"{AT_ONCE}::test_one_voucher_is_used_once",),
        needs_postgres=True,
    ),
    Guard(
        "an exchange comes back once",
        (
            (
                f"{SERVICES}/redemption_reversal.py",
                "    if redemption.status == Redemption.Status.REVERSED:\n"
                "        return redemption\n",
                "",
            ),
        ),
        (f"{TESTS}/test_redemptions.py",),
    ),
    Guard(
        "open membership",
        ((f"{SERVICES}/spending.py", "if not self.locked.is_open:", "if False:"),),
        (f"{TESTS}/test_redemptions.py",),
    ),
    Guard(
        "entries sum to zero",
        (
            (
                f"{SERVICES}/ledger.py",
                "if sum(amount for _bucket, amount, _lot in draft.entries):",
                "if False:",
            ),
        ),
        (f"{TESTS}/test_ledger.py",),
    ),
)


def main(words: list[str]) -> int:
    """Take away the guards whose names have one of the words, or all; 1 if no test notices one."""
    guards = [one for one in GUARDS if not words or any(word in one.name for word in words)]
    folder = Path(tempfile.mkdtemp(prefix="keepwell-mutants-"))
    try:
        _copy(folder)
        _check_baseline(folder, guards)
        if survivors := [one.name for one in guards if _survives(folder, one)]:
            print(f"\nNo test notices that these are gone: {', '.join(survivors)}")
            return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{len(guards)} guards, the tests notice when one is gone.")
    return 0


def _copy(folder: Path) -> None:
    """Copy the working tree: what git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def _check_baseline(folder: Path, guards: Sequence[Guard]) -> None:
    """Run all the guards' tests with nothing taken away; they must pass."""
    for needs_postgres in (False, True):
        named = {
            test for one in guards if one.needs_postgres == needs_postgres for test in one.tests
        }
        tests = tuple(sorted(test for test in named if test.split("::")[0] not in named - {test}))
        if not tests:
            continue
        began = time.monotonic()
        code, failed = _run(folder, tests, needs_postgres=needs_postgres)
        if code != 0:
            raise SystemExit(f"with every guard in place the tests fail\n{failed}")
        name = f"nothing taken away, on {'PostgreSQL' if needs_postgres else 'SQLite'}"
        print(f"{name:38} {time.monotonic() - began:5.0f} s  passed", flush=True)


def _survives(folder: Path, guard: Guard) -> bool:
    """Take a guard away, run its tests, put it back; whether they passed without it."""
    before = {name: (folder / name).read_text() for name, _text, _instead in guard.cuts}
    began = time.monotonic()
    try:
        for name, text, instead in guard.cuts:
            content = (folder / name).read_text()
            if text not in content:
                raise SystemExit(f"{guard.name}: {name} has no {text!r}")
            (folder / name).write_text(content.replace(text, instead))
        code, failed = _run(folder, guard.tests, needs_postgres=guard.needs_postgres)
    finally:
        for name, content in before.items():
            (folder / name).write_text(content)
    if code not in (0, 1):
        raise SystemExit(f"{guard.name}: the tests can't be run without it\n{failed}")
    told = "NOT NOTICED" if code == 0 else f"noticed by {failed}"
    print(f"{guard.name:38} {time.monotonic() - began:5.0f} s  {told}", flush=True)
    return code == 0


def _run(folder: Path, tests: Sequence[str], *, needs_postgres: bool) -> tuple[int, str]:
    """Run tests until one fails; return the exit code, and which failed."""
    environment = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "no:logging",
        "-p",
        "no:cacheprovider",
    ]
    if needs_postgres:
        command = [sys.executable, "-m", "config.embedded.postgres", *command]
    answer = subprocess.run(
        [*command, *tests],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = answer.stdout.splitlines()
    failed = [line.split("::")[-1].split(" - ")[0] for line in lines if line.startswith("FAILED")]
    return answer.returncode, failed[0] if failed else "\n".join(lines[-20:]) + answer.stderr[
        -2000:
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
