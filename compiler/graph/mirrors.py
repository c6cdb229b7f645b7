"""Mirrors between physical hosts, as dashed lines below their rows."""

from __future__ import annotations

from collections.abc import Sequence

from threerc.compiler.graph import shapes
from threerc.compiler.graph.lanes import Way
from threerc.compiler.graph.lettering import width
from threerc.compiler.graph.picture import Mirror

_LANE_STEP = 16
_DETOUR_STEP = 9


class Mirrors:
    """The mirrors of a page, which ends at `right`; the rows tell where they end."""

    def __init__(self, ways: Sequence[Way], right: int) -> None:
        self._ways = ways
        self._right = right
        self._bottoms: list[int] = []

    @property
    def aside(self) -> int:
        """How much room the ways between rows take beyond the right side."""
        return sum(way.detour is not None for way in self._ways) * _DETOUR_STEP

    def below(self, bottom: int) -> int:
        """How much room the lanes below the next row take, which ends there."""
        row = len(self._bottoms)
        self._bottoms.append(bottom)
        ends = [end for way in self._ways for end in (way.start, way.end)]
        return max((lane + 1 for at, _, lane in ends if at == row), default=0) * _LANE_STEP

    def parts(self) -> list[str]:
        """The lines, and on them their labels."""
        lines = [self._line(way) for way in self._ways]
        return lines + [part for way in self._ways for part in self._label(way)]

    def _y(self, row: int, lane: int) -> int:
        return self._bottoms[row] + 13 + lane * _LANE_STEP

    def _line(self, way: Way) -> str:
        (row1, x1, lane1), (row2, x2, lane2) = way.start, way.end
        steps: list[str | int] = ["M", x1, self._bottoms[row1], "V", self._y(row1, lane1)]
        if way.detour is not None:
            aside = self._right + 8 + way.detour * _DETOUR_STEP
            steps += ["H", aside, "V", self._y(row2, lane2)]
        return shapes.path("mirror", *steps, "H", x2, "V", self._bottoms[row2])

    def _label(self, way: Way) -> list[str]:
        """What is mirrored, in the middle of the line, where there is room for it."""
        (row, x1, lane), x2 = way.start, self._right if way.detour is not None else way.end[1]
        words = _words(way.mirror)
        wide = int(width(words, 10)) + 10
        if wide + 20 > abs(x2 - x1):
            return []
        middle, y = (x1 + x2) // 2, self._y(row, lane)
        plate = shapes.rect((middle - wide // 2, y - 7, wide, 14), "page", 0)
        return [plate, shapes.text((middle, y + 4), words, 10, "", "middle")]


def _words(mirror: Mirror) -> str:
    (name, size), *more = mirror.volumes
    return f"{len(mirror.volumes):,} volumes" if more else f"{name}, {size}"
