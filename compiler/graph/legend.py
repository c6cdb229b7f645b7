"""The legend: what the shapes of the drawing mean, of those that are in it."""

from __future__ import annotations

from collections.abc import Iterator

from threerc.compiler.graph import shapes
from threerc.compiler.graph.lettering import width
from threerc.compiler.graph.picture import Card, Picture

_SIZE = 11
_LINE = 22


def legend(picture: Picture, left: int, right: int, y: int) -> tuple[int, list[str]]:
    """The legend between two sides from y on: how high it is, and its shapes."""
    parts: list[str] = []
    x, top = left, y
    for wide, symbol, words in _entries(picture):
        room = wide + 8 + int(width(words, _SIZE)) + 22
        if x > left and x + room > right:
            x, y = left, y + _LINE
        text = shapes.text((wide + 8, 13), words, _SIZE, "muted")
        parts.append(shapes.group((x, y), words, [*symbol, text]))
        x += room
    return y + _LINE - top, parts


def _entries(picture: Picture) -> Iterator[tuple[int, list[str], str]]:
    """The width of each symbol, the symbol, and its meaning."""
    hosts: tuple[Card, ...] = (*picture.services, *picture.physical)
    everyone = (*hosts, *picture.workers, *(vm for host in hosts for vm in host.inside))
    yield 22, [shapes.path("wire w0", "M", 0, 9, "H", 22)], "network, in its colour"
    if any(card.keeps() for card in everyone):
        yield 22, [shapes.rect((0, 2, 22, 14), "keeper", 7)], "watches or recovers the site"
    if any(host.inside for host in hosts):
        yield 22, [shapes.rect((0, 2, 22, 14), "vm")], "virtual machine, in its home"
    if picture.mirrors:
        line = shapes.path("mirror", "M", 16, 9, "H", 40)
        yield 40, [shapes.drum(0, 3), line], "volume mirrored by DRBD"
    if any(card.number > 1 for card in picture.workers):
        stack = [shapes.rect((off, 4 - off, 18, 12), "card") for off in (4, 2, 0)]
        yield 22, stack, "several equal nodes"
