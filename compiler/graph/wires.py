"""Networks as bars above, and their wires from there to the machines."""

from __future__ import annotations

from collections.abc import Sequence

from threerc.compiler.graph import shapes
from threerc.compiler.graph.cards import Colours
from threerc.compiler.graph.lettering import elide, width
from threerc.compiler.graph.picture import Card, Wire

_STEP = 9
_BAR, _HIGH = 26, 22


class Wires:
    """The networks of a page that starts at `start`: spines, then at `left` the bars and cards."""

    def __init__(self, wires: Sequence[Wire], start: int) -> None:
        self._wires = wires
        self._number = {wire.name: at for at, wire in enumerate(wires)}
        self._start = start
        self.left = start + len(wires) * _STEP + 8
        count = len(shapes.WIRE_COLOURS)
        self.colours: Colours = {name: f"f{at % count}" for name, at in self._number.items()}
        self._bars: dict[str, int] = {}
        self._ends: dict[str, int] = {}
        self._rails: list[str] = []

    def bars(self, y: int, right: int) -> tuple[int, list[str]]:
        """The networks, one below the other from y on: how high, and the shapes."""
        parts: list[str] = []
        for at, wire in enumerate(self._wires):
            self._bars[wire.name] = y + at * _BAR + _HIGH // 2
            parts += self._bar(wire, y + at * _BAR, right)
        return len(self._wires) * _BAR, parts

    def _bar(self, wire: Wire, y: int, right: int) -> list[str]:
        first, end, base = self.left + 16, right - 10, y + 15
        second = first + int(width(wire.name, 12, bold=True)) + 12
        count = f"{wire.machines:,} host{'s' if wire.machines != 1 else ''}"
        room = end - width(count, 11) - 12 - second
        traits = elide(" \N{MIDDLE DOT} ".join(wire.lines), 11, room)
        return [
            shapes.rect((self.left, y, right - self.left, _HIGH), "card"),
            shapes.rect((self.left, y, 6, _HIGH), self.colours[wire.name], 2),
            shapes.text((first, base), wire.name, 12, "bold"),
            shapes.text((second, base), traits, 11, "muted"),
            shapes.text((end, base), count, 11, "muted", "end"),
        ]

    def row(self, y: int, cards: Sequence[tuple[Card, int]]) -> int:
        """Wires from y on to a row of cards, given with their left sides: how much room it takes.

        The lower a network's rail the farther to the left it meets a card, so that on one card
        no wire crosses another.
        """
        nets = [card.networks() for card, _ in cards]
        used = [name for name in self._number if any(name in each for each in nets)]
        bottom = y + len(used) * _STEP + 6
        for at, name in enumerate(used):
            rail = y + at * _STEP
            drops = [
                x + 15 + 11 * [other for other in reversed(used) if other in own].index(name)
                for (_, x), own in zip(cards, nets, strict=True)
                if name in own
            ]
            line = f"wire {self._line(name)}"
            self._rails.append(shapes.path(line, "M", self._spine(name), rail, "H", drops[-1]))
            self._rails += [shapes.path(line, "M", x, rail, "V", bottom) for x in drops]
            self._rails += [shapes.dot(x, rail, self.colours[name]) for x in drops]
            self._ends[name] = rail
        return bottom - y

    def parts(self) -> list[str]:
        """All wires: the spines down the left side, and what branches off."""
        spines = [
            shapes.path(
                f"wire {self._line(name)}",
                *("M", self.left, self._bars[name], "H", self._spine(name), "V", end),
            )
            for name, end in self._ends.items()
        ]
        return spines + self._rails

    def _spine(self, name: str) -> int:
        """Where a network's wire runs down: the first one's outermost, so that none cross."""
        return self._start + self._number[name] * _STEP

    def _line(self, name: str) -> str:
        return f"w{self._number[name] % len(shapes.WIRE_COLOURS)}"
