"""Node sets: many host names in few words, `wn[001-200]`, as ClusterShell reads them.

Source: nodeset(1) of ClusterShell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

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
    widths = {len(ending) for ending in endings if len(ending) > 1 and ending[0] == "0"}
    columns: dict[int, list[int]] = {}
    for ending in endings:
        if ending:
            width = len(ending) if len(ending) in widths else 0
            columns.setdefault(width, []).append(int(ending))
        else:
            yield stem
    for width, column in sorted(columns.items()):
        text = ",".join(_spans(sorted(column), width))
        yield f"{stem}{text}" if len(column) == 1 else f"{stem}[{text}]"


def _spans(column: list[int], width: int) -> Iterator[str]:
    """The runs of ascending numbers: `001-200`, `203`."""
    for _, run in groupby(enumerate(column), key=lambda pair: pair[1] - pair[0]):
        span = [number for _, number in run]
        first, last = f"{span[0]:0{width}}", f"{span[-1]:0{width}}"
        yield first if len(span) == 1 else f"{first}-{last}"
