"""Node sets: many host names in few words, `wn[001-200]`, as ClusterShell reads them.

Source: nodeset(1) of ClusterShell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_DIGITS = "0123456789"


def fold(names: Iterable[str]) -> str:
    """The node set of these names, sorted; trailing numbers are folded, zeros in front kept."""
    numbers: dict[str, list[str]] = {}
    for name in set(names):
        stem = name.rstrip(_DIGITS)
        numbers.setdefault(stem, []).append(name[len(stem) :])
    return ",".join(part for stem in sorted(numbers) for part in _parts(stem, numbers[stem]))


def _parts(stem: str, endings: list[str]) -> Iterator[str]:
    """The names of one stem: without a number, then a part for each width of padded numbers."""
    if not stem:
        yield from sorted(endings)
        return
    if "" in endings:
        yield stem
    for width, column in sorted(_columns([each for each in endings if each]).items()):
        text = ",".join(_spans(sorted(column), width))
        yield f"{stem}{text}" if len(column) == 1 else f"{stem}[{text}]"


def _columns(endings: list[str]) -> dict[int, list[int]]:
    """The numbers by the width that they are padded to; 0 where they are not."""
    lengths = set(map(len, endings))
    if len(lengths) == 1:
        return {lengths.pop(): list(map(int, endings))}
    widths = {len(ending) for ending in endings if len(ending) > 1 and ending[0] == "0"}
    columns: dict[int, list[int]] = {}
    for ending in endings:
        width = len(ending) if len(ending) in widths else 0
        columns.setdefault(width, []).append(int(ending))
    return columns


def _spans(column: list[int], width: int) -> Iterator[str]:
    """The runs of ascending numbers: `001-200`, `203`."""
    start = 0
    for position, number in enumerate(column, 1):
        if position == len(column) or column[position] != number + 1:
            first = column[start]
            yield f"{first:0{width}}" if first == number else f"{first:0{width}}-{number:0{width}}"
            start = position
