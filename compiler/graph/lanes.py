"""Ways for mirrors between physical hosts: below their rows, and down the right side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from threerc.compiler.graph.picture import Mirror

_FAR = 1 << 30
"""An x to the right of everything."""


class Seat(NamedTuple):
    """Where a card is: its row, its left side and its width."""

    row: int
    x: int
    width: int


class Way(NamedTuple):
    """A mirror's way: row, x and lane of each end, upper one first.

    `detour` numbers the ways down the right side, and is None where both ends are in one row.
    """

    mirror: Mirror
    start: tuple[int, int, int]
    end: tuple[int, int, int]
    detour: int | None


def ways(mirrors: Sequence[Mirror], seats: Mapping[str, Seat]) -> list[Way]:
    """A way for each mirror between cards that have a seat; no two share a piece of lane."""
    pairs: list[tuple[Mirror, Seat, Seat]] = []
    for mirror in mirrors:
        if all(peer in seats for peer in mirror.peers):
            first, second = sorted(seats[peer] for peer in mirror.peers)
            pairs.append((mirror, first, second))
    ends = _ends(pairs)
    lanes = _Lanes()
    found: list[Way | None] = [None] * len(pairs)
    detours = 0
    # Short ones first, so that long ones go around them.
    for at in sorted(range(len(pairs)), key=lambda at: (ends[at][1] - ends[at][0], at)):
        mirror, first, second = pairs[at]
        x1, x2 = ends[at]
        if first.row == second.row:
            lane = lanes.take(first.row, x1, x2)
            found[at] = Way(mirror, (first.row, x1, lane), (second.row, x2, lane), None)
            continue
        start = (first.row, x1, lanes.take(first.row, x1, _FAR))
        found[at] = Way(mirror, start, (second.row, x2, lanes.take(second.row, x2, _FAR)), detours)
        detours += 1
    return [way for way in found if way]


def _ends(pairs: list[tuple[Mirror, Seat, Seat]]) -> list[tuple[int, int]]:
    """Where each way leaves its two cards: spread over the lower side, nearest side first."""
    at_seat: dict[Seat, list[tuple[bool, int, int, int]]] = {}
    for at, (_, first, second) in enumerate(pairs):
        for side, own, other in ((0, first, second), (1, second, first)):
            at_seat.setdefault(own, []).append((own.row != other.row, other.x, at, side))
    ends = [[0, 0] for _ in pairs]
    for seat, leaving in at_seat.items():
        for position, (_, _, at, side) in enumerate(sorted(leaving), 1):
            ends[at][side] = seat.x + seat.width * position // (len(leaving) + 1)
    return [(first, second) for first, second in ends]


class _Lanes:
    """Which pieces of which lanes are taken, below each row."""

    def __init__(self) -> None:
        self._rows: dict[int, list[list[tuple[int, int]]]] = {}

    def take(self, row: int, x1: int, x2: int) -> int:
        """The first lane of a row that is free between two places."""
        first, last = min(x1, x2), max(x1, x2)
        lanes = self._rows.setdefault(row, [])
        for number, taken in enumerate(lanes):
            if all(last < start or end < first for start, end in taken):
                taken.append((first, last))
                return number
        lanes.append([(first, last)])
        return len(lanes) - 1
