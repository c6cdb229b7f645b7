"""The drawing as SVG: networks above, their wires down the left side, machines in rows below.

Wires run in the gaps above the rows and mirrors in those below the physical hosts, so that no
line crosses a card.
"""

from __future__ import annotations

from typing import NamedTuple

from threerc.compiler.graph import shapes
from threerc.compiler.graph.cards import Colours, Drawn, Style, draw, framed, style_of
from threerc.compiler.graph.lanes import Seat, Way, ways
from threerc.compiler.graph.legend import legend
from threerc.compiler.graph.lettering import elide, width, wrap
from threerc.compiler.graph.picture import Card, Mirror, Picture

_MARGIN = 20
_GAP = 18
_ROOM = 1180
_LEAST = 760
_WIRE_STEP = 9
_BAR = 26
_LANE_STEP = 16
_DETOUR_STEP = 9
_SECTIONS = {
    "services": "Service hosts",
    "physical": "Physical hosts, and the virtual machines at home on them",
    "workers": "Worker nodes",
}


class _Section(NamedTuple):
    """Rows of cards below one heading."""

    heading: str
    rows: list[list[tuple[Card, Drawn]]]
    card_width: int


def _columns(count: int, wide: int) -> int:
    """As few rows as there is room for, all about equally long."""
    most = max(1, (_ROOM + _GAP) // (wide + _GAP))
    return -(-count // -(-count // most))


def _width(columns: int, wide: int) -> int:
    return columns * (wide + _GAP) - _GAP


def emit(picture: Picture) -> str:
    """The SVG file of a picture."""
    return _Page(picture).text()


class _Page:
    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        styles = len(shapes.WIRE_COLOURS)
        self.numbers = {wire.name: at for at, wire in enumerate(picture.wires)}
        self.colours: Colours = {name: f"f{at % styles}" for name, at in self.numbers.items()}
        self.left = _MARGIN + len(picture.wires) * _WIRE_STEP + 8
        shown = {key: cards for key in _SECTIONS if (cards := getattr(picture, key))}
        styles_of = {key: style_of(cards) for key, cards in shown.items()}
        columns = {key: _columns(len(shown[key]), style.width) for key, style in styles_of.items()}
        widths = [_width(columns[key], style.width) for key, style in styles_of.items()]
        self.right = self.left + max([_LEAST, *widths])
        self.sections = {
            key: self._section(_SECTIONS[key], cards, styles_of[key], columns[key])
            for key, cards in shown.items()
        }
        self.ways = self._ways()
        self.y = _MARGIN
        self.bars: dict[str, int] = {}
        self.ends: dict[str, int] = {}
        self.bottoms: list[int] = []
        self.wires: list[str] = []
        self.cards: list[str] = []

    def _section(
        self, heading: str, cards: tuple[Card, ...], style: Style, columns: int
    ) -> _Section:
        """Cards in rows, which fill the page where that looks well."""
        style = style.widened((self.right - self.left + _GAP) // columns - _GAP)
        drawn = [(card, draw(card, style, self.colours)) for card in cards]
        rows = [drawn[at : at + columns] for at in range(0, len(drawn), columns)]
        return _Section(heading, rows, style.width)

    def _ways(self) -> list[Way]:
        physical = self.sections.get("physical")
        seats = {
            card.name: Seat(row, self._x(physical, at), physical.card_width)
            for row, cards in enumerate(physical.rows if physical else ())
            for at, (card, _) in enumerate(cards)
        } if physical else {}
        return ways(self.picture.mirrors, seats)

    def _x(self, section: _Section, at: int) -> int:
        return self.left + at * (section.card_width + _GAP)

    def text(self) -> str:
        """The whole file."""
        head = self._head()
        bars = self._bars()
        for key, section in self.sections.items():
            self.y += 28
            self.cards.append(shapes.text(self.left, self.y, section.heading, 12, "bold muted"))
            self.y += 6
            for row in section.rows:
                self._row(section, row)
                if key == "physical":
                    self._leave_room_for_lanes()
        mirrors = [part for way in self.ways for part in self._mirror(way)]
        labels = [part for way in self.ways for part in self._label(way)]
        high, last = legend(self.picture, self.left, self.right, self.y + 12)
        detours = sum(way.detour is not None for way in self.ways)
        wide = self.right + detours * _DETOUR_STEP + _MARGIN
        parts = [*head, *bars, *self._spines(), *self.wires, *mirrors, *labels, *self.cards, *last]
        return self._file(wide, self.y + 12 + high + _MARGIN, parts)

    def _file(self, wide: int, high: int, parts: list[str]) -> str:
        size = f'width="{wide}" height="{high}" viewBox="0 0 {wide} {high}"'
        return "\n".join(
            [
                '<?xml version="1.0" encoding="UTF-8"?>',
                "<!-- Drawn by 3RC from site.yaml: edit that. -->",
                f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
                f"<title>{shapes.escaped(self.picture.title)}</title>",
                shapes.style(),
                shapes.rect(0, 0, wide, high, "page", 0),
                *parts,
                "</svg>\n",
            ]
        )

    def _head(self) -> list[str]:
        room = self.right - self.left
        lines = [(18, "bold", line) for line in wrap(self.picture.title, 18, room, 4, bold=True)]
        lines += [(12, "", line) for line in wrap(self.picture.description, 12, room, 3)]
        lines += [(12, "muted", line) for line in wrap(self.picture.summary, 12, room)]
        parts: list[str] = []
        for size, css, line in lines:
            self.y += size + 5
            parts.append(shapes.text(self.left, self.y, line, size, css))
        self.y += 14
        return parts

    def _bars(self) -> list[str]:
        """The networks, one below the other."""
        parts: list[str] = []
        for wire in self.picture.wires:
            wide = self.right - self.left
            parts.append(shapes.rect(self.left, self.y, wide, _BAR - 4, "card"))
            parts.append(shapes.rect(self.left, self.y, 6, _BAR - 4, self.colours[wire.name], 2))
            after = self.left + 16 + int(width(wire.name, 12, bold=True)) + 12
            count = f"{wire.machines:,} host{'s' if wire.machines != 1 else ''}"
            end = self.right - 10
            room = end - width(count, 11) - 12 - after
            traits = elide(" · ".join(wire.lines), 11, room)
            base = self.y + 15
            parts.append(shapes.text(self.left + 16, base, wire.name, 12, "bold"))
            parts.append(shapes.text(after, base, traits, 11, "muted"))
            parts.append(shapes.text(end, base, count, 11, "muted", "end"))
            self.bars[wire.name] = self.y + (_BAR - 4) // 2
            self.y += _BAR
        return parts

    def _spine(self, name: str) -> int:
        """Where a network's wire runs down: the first one's outermost, so that none cross."""
        return _MARGIN + self.numbers[name] * _WIRE_STEP

    def _spines(self) -> list[str]:
        parts: list[str] = []
        for name, end in self.ends.items():
            steps = ("M", self.left, self.bars[name], "H", self._spine(name), "V", end)
            parts.append(shapes.path(f"wire {self._css(name)}", *steps))
        return parts

    def _css(self, name: str) -> str:
        return f"w{self.numbers[name] % len(shapes.WIRE_COLOURS)}"

    def _row(self, section: _Section, row: list[tuple[Card, Drawn]]) -> None:
        """A row of cards of one height, and above it the wires that end there."""
        nets = [[plug.network for plug in card.plugs] for card, _ in row]
        used = [name for name in self.numbers if any(name in each for each in nets)]
        self.y += 10
        rails = {name: self.y + at * _WIRE_STEP for at, name in enumerate(used)}
        self.y += len(used) * _WIRE_STEP + 6
        for name, rail in rails.items():
            drops = [
                self._x(section, at) + 15 + 11 * [n for n in reversed(used) if n in each].index(name)
                for at, each in enumerate(nets)
                if name in each
            ]
            css = self._css(name)
            self.wires.append(shapes.path(f"wire {css}", "M", self._spine(name), rail, "H", drops[-1]))
            self.wires += [shapes.path(f"wire {css}", "M", x, rail, "V", self.y) for x in drops]
            self.wires += [shapes.dot(x, rail, self.colours[name]) for x in drops]
            self.ends[name] = rail
        high = max(drawn.height for _, drawn in row)
        for at, (card, drawn) in enumerate(row):
            box = (self._x(section, at), self.y, section.card_width, high)
            self.cards.append(framed(card, drawn, box, "card"))
        self.y += high

    def _leave_room_for_lanes(self) -> None:
        """Below a row of physical hosts: the lanes of mirrors."""
        row = len(self.bottoms)
        self.bottoms.append(self.y)
        ends = [end for way in self.ways for end in (way.start, way.end)]
        lanes = [lane + 1 for at, _, lane in ends if at == row]
        self.y += max(lanes, default=0) * _LANE_STEP

    def _lane(self, row: int, lane: int) -> int:
        return self.bottoms[row] + 13 + lane * _LANE_STEP

    def _mirror(self, way: Way) -> list[str]:
        (row1, x1, lane1), (row2, x2, lane2) = way.start, way.end
        y1, y2 = self._lane(row1, lane1), self._lane(row2, lane2)
        steps: list[str | int] = ["M", x1, self.bottoms[row1], "V", y1]
        if way.detour is not None:
            steps += ["H", self.right + 8 + way.detour * _DETOUR_STEP, "V", y2]
        return [shapes.path("mirror", *steps, "H", x2, "V", self.bottoms[row2])]

    def _label(self, way: Way) -> list[str]:
        """What is mirrored, on the line, where there is room for it."""
        (row, x1, lane), x2 = way.start, self.right if way.detour is not None else way.end[1]
        words = _label(way.mirror)
        wide = int(width(words, 10)) + 10
        if wide + 20 > abs(x2 - x1):
            return []
        middle, y = (x1 + x2) // 2, self._lane(row, lane)
        plate = shapes.rect(middle - wide // 2, y - 7, wide, 14, "page", 0)
        return [plate, shapes.text(middle, y + 4, words, 10, "", "middle")]


def _label(mirror: Mirror) -> str:
    (name, size), *more = mirror.volumes
    return f"{len(mirror.volumes):,} volumes" if more else f"{name}, {size}"
