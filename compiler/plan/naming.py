"""The names of many subjects in few words, as a plan shows them and consent is given to them."""

from __future__ import annotations

from collections.abc import Iterable

from threerc.compiler.artefacts.node_sets import fold
from threerc.compiler.source.ranges import listed


def folded(subjects: Iterable[str]) -> str:
    """`gridce,volume gridse,wn[001-040]`."""
    return fold(subjects)


def unfolded(text: str) -> list[str]:
    """The subjects of such a text. Raises ValueError."""
    return listed(text)
