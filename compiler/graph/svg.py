"""The drawing as SVG: networks above, their wires down the left side, machines in rows below.

Wires run in the gaps above the rows and mirrors in those below the physical hosts, so that no
line crosses a card.
"""

from __future__ import annotations

from html import escape
from typing import NamedTuple

from threerc.compiler.graph import shapes
from threerc.compiler.graph.cards import Drawn, Style, draw, framed, style_of
from threerc.compiler.graph.lanes import Seat, ways
from threerc.compiler.graph.legend import legend
from threerc.compiler.graph.lettering import wrap
from threerc.compiler.graph.mirrors import Mirrors
from threerc.compiler.graph.picture import Card, Picture
from threerc.compiler.graph.wires import Wires

_MARGIN = 20
_GAP = 18
_ROOM = 1180
_LEAST = 760
_HEADINGS = {
    "services": "Service hosts",
    "physical": "Physical hosts, and the virtual machines at home on them",
    "workers": "Worker nodes",
}


class _Section(NamedTuple):
    """Rows of cards of one width."""

    rows: list[list[tuple[Card, Drawn]]]
    width: int


def emit(picture: Picture) -> str:
    """The SVG file of a picture."""
    return _Page(picture).text()


def _columns(count: int, wide: int, *, paired: bool) -> int:
    """As few rows as there is room for, all about equally long; pairs are kept together."""
    most = max(1, (_ROOM + _GAP) // (wide + _GAP))
    columns = -(-count // -(-count // most))
    if paired and columns % 2 and 1 < columns < count:
        return columns + 1 if columns < most else columns - 1
    return columns


class _Page:
    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self.wires = Wires(picture.wires, _MARGIN)
        self.left = self.wires.left
        shown = {key: cards for key in _HEADINGS if (cards := getattr(picture, key))}
        styles = {key: style_of(cards) for key, cards in shown.items()}
        columns = {
            key: _columns(len(cards), styles[key].width, paired=bool(picture.mirrors))
            for key, cards in shown.items()
        }
        widths = [columns[key] * (style.width + _GAP) - _GAP for key, style in styles.items()]
        self.right = self.left + max([_LEAST, *widths])
        self.sections = {
            key: self._section(cards, styles[key], columns[key]) for key, cards in shown.items()
        }
        self.mirrors = Mirrors(ways(picture.mirrors, self._seats()), self.right)
        self.y = _MARGIN
        self.cards: list[str] = []

    def _section(self, cards: tuple[Card, ...], style: Style, columns: int) -> _Section:
        """Cards in rows, which fill the page where that looks well."""
        style = style.widened((self.right - self.left + _GAP) // columns - _GAP)
        drawn = [(card, draw(card, style, self.wires.colours)) for card in cards]
        rows = [drawn[at : at + columns] for at in range(0, len(drawn), columns)]
        return _Section(rows, style.width)

    def _seats(self) -> dict[str, Seat]:
        """Where the physical hosts are."""
        section = self.sections.get("physical", _Section([], 0))
        return {
            card.name: Seat(row, self._x(section, at), section.width)
            for row, cards in enumerate(section.rows)
            for at, (card, _) in enumerate(cards)
        }

    def _x(self, section: _Section, at: int) -> int:
        return self.left + at * (section.width + _GAP)

    def text(self) -> str:
        """The whole file."""
        head = self._head()
        high, bars = self.wires.bars(self.y, self.right)
        self.y += high
        for key, section in self.sections.items():
            self.y += 28
            heading = shapes.text((self.left, self.y), _HEADINGS[key], 12, "bold muted")
            self.cards.append(heading)
            self.y += 6
            for row in section.rows:
                self._row(section, row)
                if key == "physical":
                    self.y += self.mirrors.below(self.y) + 8
        self.y += 12
        high, meanings = legend(self.picture, self.left, self.right, self.y)
        last = ['<g class="legend">', *meanings, "</g>"]
        self.y += high + _MARGIN
        lines = [*self.wires.parts(), *self.mirrors.parts()]
        return self._file([*head, *bars, *lines, *self.cards, *last])

    def _row(self, section: _Section, row: list[tuple[Card, Drawn]]) -> None:
        """A row of cards of one height, and above it the wires that end there."""
        self.y += 10
        self.y += self.wires.row(
            self.y, [(card, self._x(section, at)) for at, (card, _) in enumerate(row)]
        )
        high = max(drawn.height for _, drawn in row)
        for at, (card, drawn) in enumerate(row):
            box = (self._x(section, at), self.y, section.width, high)
            self.cards.append(framed(card, drawn, box, "card"))
        self.y += high

    def _head(self) -> list[str]:
        """Title, description, and how many hosts there are."""
        room = self.right - self.left
        lines = [(18, "bold", line) for line in wrap(self.picture.title, 18, room, 4, bold=True)]
        lines += [(12, "", line) for line in wrap(self.picture.description, 12, room, 3)]
        lines += [(12, "muted", line) for line in wrap(self.picture.summary, 12, room)]
        parts: list[str] = []
        for size, css, line in lines:
            self.y += size + 5
            parts.append(shapes.text((self.left, self.y), line, size, css))
        self.y += 14
        return parts

    def _file(self, parts: list[str]) -> str:
        wide = self.right + self.mirrors.aside + _MARGIN
        size = f'width="{wide}" height="{self.y}" viewBox="0 0 {wide} {self.y}"'
        return "\n".join(
            [
                '<?xml version="1.0" encoding="UTF-8"?>',
                "<!-- Drawn by 3RC from site.yaml: edit that. -->",
                f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
                f"<title>{escape(self.picture.title)}</title>",
                shapes.style(),
                shapes.rect((0, 0, wide, self.y), "page", 0),
                *parts,
                "</svg>\n",
            ]
        )
