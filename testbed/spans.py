"""When faults of hosts, services, controllers and switches began and ended: marks in plots. Pure.

Those of virtual machines are told by what became of each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Final

from threerc.testbed.events import Event, Kind
from threerc.testbed.faults import FAULTS, VM, unhealed

_OVER_AT_ONCE: Final = {
    fault.name for fault in FAULTS.values() if fault.of != VM and fault.is_over_at_once
}
_GAP: Final = 1800.0
"""Seconds without anything that are left out of a plot: a campaign went on another time."""
_LEFT: Final = 60.0
"""Seconds that are left of them."""


@dataclass(frozen=True, slots=True)
class Span:
    """A fault from its beginning to its end, in seconds; `label` says whose, which, and how."""

    label: str
    begin: float
    end: float


def struck(events: Sequence[Event], vms: Iterable[str], since: float) -> list[Event]:
    """The beginnings and ends of faults that are none of a virtual machine, in order.

    Those since a time, and the beginnings of what lasted then.
    """
    known, kinds = {*vms}, {Kind.FAULT, Kind.HEAL}
    told = [e for e in events if e.kind in kinds and "fault" in e.detail and e.of not in known]
    lasting = unhealed(event for event in told if event.time < since)
    return [e for e in told if e.time >= since or (e.of, e.detail["fault"]) in lasting]


def spans(events: Iterable[Event], end: float) -> list[Span]:
    """What is told by such events up to `end`; one that is not over lasts until then.

    A second beginning before the end is none; what is over at once begins and ends together.
    """
    found: list[Span] = []
    begun: dict[tuple[str, str], tuple[str, float]] = {}
    for event in events:
        key = event.of, str(event.detail["fault"])
        if key[1] in _OVER_AT_ONCE:
            found.append(Span(_label(event), event.time, event.time))
        elif event.kind is Kind.FAULT:
            begun.setdefault(key, (_label(event), event.time))
        elif key in begun:
            label, begin = begun.pop(key)
            found.append(Span(label, begin, event.time))
    found += [Span(label, begin, max(begin, end)) for label, begin in begun.values()]
    return sorted(found, key=lambda span: (span.begin, span.label))


def campaign_spans(marks: Iterable[Event], ended: Sequence[float]) -> list[Span]:
    """The spans of a campaign by its marks, none of them before it began.

    Each mark names its testbed as `run`, and notes say when the campaign came to which. What is not
    over there lasts until the last that is known of that testbed: a mark, or one of the ends of
    crashes in `ended`.
    """
    told = [*marks]
    notes = [(str(each.detail["run"]), each.time) for each in told if each.kind is Kind.NOTE]
    stays = [next(group) for _, group in groupby(notes, key=lambda note: note[0])]
    found: list[Span] = []
    for (run, begin), (_, following) in pairwise([*stays, ("", math.inf)]):
        own = [each for each in told if each.detail["run"] == run and each.time < following]
        known = [*(each.time for each in own), *(end for end in ended if begin <= end < following)]
        found += [
            Span(span.label, max(span.begin, begin), span.end)
            for span in spans([e for e in own if e.kind is not Kind.NOTE], max(known))
            if span.end >= begin
        ]
    return sorted(found, key=lambda span: (span.begin, span.label))


def _label(event: Event) -> str:
    whose = "" if event.of == "*" else f"{event.of}: "
    silent = event.detail.get("silent")
    how = event.detail.get("mode") or (f"silent of {', '.join(silent)}" if silent else "")
    return f"{whose}{event.detail['fault']} {how}".rstrip()


class Clock:
    """Times of a run as seconds since its first, without the long gaps in which nothing was.

    `lasting` has from when to when anything was: of crashes, of faults.
    """

    def __init__(self, lasting: Iterable[tuple[float, float]]) -> None:
        self._jumps: list[tuple[float, float]] = []
        """From when on how many seconds are taken away."""
        away = until = None
        for begin, end in sorted(lasting):
            if until is None or away is None:
                away = until = begin
                self._jumps.append((begin, away))
            elif begin - until > _GAP:
                away += begin - until - _LEFT
                self._jumps.append((begin, away))
            until = max(until, end)

    def seconds(self, time: float) -> float:
        """The place of a time in which something was."""
        away = self._jumps[0][1]
        for since, each in self._jumps:
            if time >= since:
                away = each
        return time - away


def lanes(found: Sequence[Span]) -> dict[str, list[Span]]:
    """The spans of each label, in the order in which the labels come first."""
    told: dict[str, list[Span]] = {}
    for span in found:
        told.setdefault(span.label, []).append(span)
    return told
