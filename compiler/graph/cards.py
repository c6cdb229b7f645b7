"""One machine as SVG: what its card says, and how large it is."""

from __future__ import annotations

from typing import NamedTuple

from threerc.compiler.graph import shapes
from threerc.compiler.graph.lettering import width, wrap
from threerc.compiler.graph.picture import Card, Pill

PAD = 10
GAP = 8
_NAME, _SMALL, _TINY = 13, 11, 10
_LINE = 15
_LEAST = 170
_MOST_NAME_LINES = 8
_MOST_VOLUMES = 12
_COLUMNS_FROM = ((13, 3), (5, 2), (0, 1))
"""From so many VMs on a host they stand in so many columns."""

Colours = dict[str | None, str]
"""The style class of each network."""


class Style(NamedTuple):
    """What the cards of one section share: their width, and in how many columns VMs stand."""

    width: int
    columns: int = 1

    @property
    def inside(self) -> int:
        """The width of a VM's card."""
        return (self.width - 2 * PAD + GAP) // self.columns - GAP

    def widened(self, room: int) -> Style:
        """The same for wider cards, within that room and what still looks well."""
        return self._replace(width=max(self.width, min(room, self.width * 3 // 2)))


class Drawn(NamedTuple):
    """A card's shapes, from its top left corner, and the height that they need."""

    height: int
    parts: list[str]


def style_of(cards: tuple[Card, ...]) -> Style:
    """The style in which the names, addresses and roles of all cards fit."""
    inside = [each for card in cards for each in card.inside]
    inner = max(map(_natural, inside), default=0)
    most = max((len(card.inside) for card in cards), default=0)
    columns = next(columns for least, columns in _COLUMNS_FROM if most >= least)
    own = max(map(_natural, cards), default=0)
    room = columns * (inner + GAP) - GAP + 2 * PAD if inside else 0
    return Style(max(own, room, _LEAST), columns)


def _natural(card: Card) -> int:
    """The width that a card wants: nothing that names something is ever cut."""
    badge = _badge(card)
    names = [width(part, _NAME, bold=True) for part in card.name.split(" ")]
    names[0] += width(badge, _SMALL, bold=True) + GAP if badge else 0
    plugs = [width(plug.address, _SMALL) + 14 for plug in card.plugs]
    pills = [_pill_width(pill) for pill in card.pills]
    words = [width(word, _SMALL) for line in card.lines for word in line.split()]
    return int(max([*names, *plugs, *pills, *words])) + 1 + 2 * PAD


def _badge(card: Card) -> str:
    return f"\N{MULTIPLICATION SIGN} {card.number:,}" if card.number > 1 else ""


def _pill_width(pill: Pill) -> int:
    return int(width(pill.text, _TINY, bold=pill.keeper)) + 13


def draw(card: Card, style: Style, colours: Colours) -> Drawn:
    """A card without its frame."""
    column = _Column(style.width - 2 * PAD)
    column.name(card)
    column.y += 3 if card.pills else 0
    column.pills(card.pills)
    for plug in card.plugs:
        column.plug(plug.address, colours.get(plug.network, "muted"))
    for line in card.lines:
        column.text(line, "muted", 2)
    column.text(card.note, "muted italic", 2)
    column.volumes(card.volumes)
    column.cards(card.inside, style, colours)
    return Drawn(column.y + PAD, column.parts)


def framed(card: Card, drawn: Drawn, box: shapes.Box, css: str) -> str:
    """A card in its frame: at x and y, of that width and height; folded ones look stacked."""
    x, y, wide, high = box
    stack = [shapes.rect((off, -off, wide, high), css) for off in (6, 3) if card.number > 1]
    parts = [*stack, shapes.rect((0, 0, wide, high), css), *drawn.parts]
    tip = f"{card.name}: {card.note}" if card.note else card.name
    return shapes.group((x, y), tip, parts)


class _Column:
    """The lines of a card, from the top down."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.y = PAD
        self.parts: list[str] = []

    def name(self, card: Card) -> None:
        """The name, wrapped at spaces; at the first line's end how many machines it stands for."""
        badge = _badge(card)
        room = self.room - int(width(badge, _SMALL, bold=True))
        for line in wrap(card.name, _NAME, room, _MOST_NAME_LINES, bold=True):
            self.parts.append(shapes.text((PAD, self.y + 13), line, _NAME, "bold"))
            self.y += _LINE + 2
        if badge:
            end = PAD + self.room
            self.parts.append(shapes.text((end, PAD + 13), badge, _SMALL, "bold", "end"))

    def text(self, words: str, css: str, lines: int) -> None:
        """Text in at most so many lines."""
        for line in wrap(words, _SMALL, self.room, lines):
            self.parts.append(shapes.text((PAD, self.y + 11), line, _SMALL, css))
            self.y += _LINE

    def plug(self, address: str, css: str) -> None:
        """An address, with the colour of its network."""
        self.parts.append(shapes.rect((PAD, self.y + 3, 8, 8), css, 2))
        self.parts.append(shapes.text((PAD + 14, self.y + 11), address, _SMALL))
        self.y += _LINE

    def pills(self, pills: tuple[Pill, ...]) -> None:
        """Roles, as many on a line as fit."""
        x = 0
        for pill in pills:
            wide = _pill_width(pill)
            if x and x + wide > self.room:
                x, self.y = 0, self.y + 20
            css, letters = ("keeper", "bold on-keeper") if pill.keeper else ("pill", "")
            self.parts.append(shapes.rect((PAD + x, self.y + 1, wide, 16), css, 8))
            self.parts.append(shapes.text((PAD + x + 6, self.y + 13), pill.text, _TINY, letters))
            x += wide + 5
        self.y += 21 if pills else 0

    def volumes(self, volumes: tuple[str, ...]) -> None:
        """Mirrored volumes."""
        shown = volumes if len(volumes) <= _MOST_VOLUMES else volumes[: _MOST_VOLUMES - 1]
        more = len(volumes) - len(shown)
        for volume in (*shown, f"and {more:,} more volumes") if more else shown:
            (line,) = wrap(volume, _SMALL, self.room - 16, 1)
            self.parts.append(shapes.drum(PAD, self.y))
            self.parts.append(shapes.text((PAD + 16, self.y + 11), line, _SMALL))
            self.y += _LINE + 2

    def cards(self, cards: tuple[Card, ...], style: Style, colours: Colours) -> None:
        """Cards inside of this one, row by row."""
        inner = Style(style.inside)
        for start in range(0, len(cards), style.columns):
            row = cards[start : start + style.columns]
            drawn = [draw(card, inner, colours) for card in row]
            high = max(each.height for each in drawn)
            self.y += GAP
            for at, (card, each) in enumerate(zip(row, drawn, strict=True)):
                x = PAD + at * (style.inside + GAP)
                self.parts.append(framed(card, each, (x, self.y, style.inside, high), "vm"))
            self.y += high
