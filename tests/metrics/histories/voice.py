"""Oracles of what customers say."""

from __future__ import annotations

from datetime import datetime, timedelta

from metrics.windows import Window
from tests.metrics.histories.facts import Answered, History

Sets = dict[str, set[int]]
RETURN = timedelta(days=90)
SATISFIED = {3: {3}, 5: {4, 5}, 7: {6, 7}, 10: {8, 9, 10}}
DISSATISFIED = {3: {1}, 5: {1, 2}, 7: {1, 2}, 10: {0, 1, 2, 3}}


class Voice:
    """A history as known at a moment."""

    def __init__(self, history: History, as_of: datetime, known_at: datetime) -> None:
        self.answers = [
            (number, answer)
            for number, answer in enumerate(history.of_persons(history.responses, known_at))
            if answer.at < as_of
            and answer.recorded_at <= known_at
            and (answer.voided_at is None or known_at < answer.voided_at)
        ]
        self.orders = history.counted(as_of, known_at)
        self.invitations = [
            row
            for row in history.of_persons(history.invitations, known_at)
            if row.sent_at < min(as_of, known_at)
        ]
        self.as_of, self.known_at = as_of, known_at

    def latest(self, window: Window, kind: str) -> list[Answered]:
        chosen: dict[object, tuple[datetime, int, Answered]] = {}
        for number, answer in self.answers:
            if answer.kind == kind and window.start <= answer.at < window.until:
                person = answer.customer_id or f"nobody {number}"
                entry = (answer.at, number, answer)
                if person not in chosen or entry[:2] > chosen[person][:2]:
                    chosen[person] = entry
        return [answer for _at, _number, answer in chosen.values()]

    def csat(self, window: Window) -> tuple[int, int, Sets]:
        answers = self.latest(window, "csat")
        up = [one for one in answers if one.score in SATISFIED[one.scale]]
        down = [one for one in answers if one.score in DISSATISFIED[one.scale]]
        sets = {
            "numerator": _known(up),
            "denominator": _known(answers),
            "dissatisfied": _known(down),
        }
        return len(up), len(answers), sets

    def ces(self, window: Window) -> tuple[int, int, Sets]:
        answers = self.latest(window, "ces")
        sets = {
            "denominator": _known(answers),
            "easy": _known([one for one in answers if one.score >= 5]),
            "hard": _known([one for one in answers if one.score < 5]),
        }
        return sum(one.score for one in answers), len(answers), sets

    def response_rate(self, window: Window) -> tuple[int, int, Sets]:
        asked = [row for row in self.invitations if window.start <= row.sent_at < window.until]
        answered = [
            row
            for row in asked
            if row.responded_at is not None
            and row.responded_at < self.as_of
            and row.response_recorded_at <= self.known_at
        ]
        sets = {
            "numerator": {row.customer_id for row in answered},
            "denominator": {row.customer_id for row in asked},
        }
        return len(answered), len(asked), sets

    def satisfaction(self, window: Window) -> Sets:
        sets: Sets = {}

        def add(name: str, who: int) -> None:
            sets.setdefault(name, set()).add(who)

        for answer in self.latest(window, "csat"):
            who = answer.customer_id
            if who is None or answer.at + RETURN > window.observed:
                continue
            is_kept = any(
                order.customer_id == who and answer.at <= order.at < answer.at + RETURN
                for order in self.orders
            )
            ends = {
                ("denominator", "numerator"): SATISFIED,
                ("bottom", "bottom_kept"): DISSATISFIED,
            }
            for (whole, part), scores in ends.items():
                if answer.score in scores[answer.scale]:
                    add(whole, who)
                    if is_kept:
                        add(part, who)
            if answer.scale == 5:
                add(f"level_{answer.score}", who)
                if is_kept:
                    add(f"kept_{answer.score}", who)
        return sets


def _known(answers: list[Answered]) -> set[int]:
    return {answer.customer_id for answer in answers if answer.customer_id is not None}
