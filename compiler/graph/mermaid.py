"""The drawing as a Mermaid flow chart, for wikis that render those.

Source: Mermaid's flowchart syntax and entity codes (`#35;`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from threerc.compiler.graph.picture import Card, Picture, Wire

_PLAIN = re.compile(r"[\w ./,:()\[\]+-]*")
_SPECIAL = re.compile(r"[^\w ./,()\[\]+-]")
_CLASSES = """\
  classDef network fill:#dbe9f4,stroke:#0072b2,color:#1f2933
  classDef keeper fill:#2f4a66,stroke:#2f4a66,color:#ffffff
  classDef machine fill:#f3f5f7,stroke:#93a0ac,color:#1f2933
"""


def emit(picture: Picture) -> str:
    """The Mermaid file of a picture."""
    return "\n".join(_lines(picture)) + "\n"


def _lines(picture: Picture) -> Iterator[str]:
    yield "%% Drawn by 3RC from site.yaml: edit that."
    yield "flowchart TB"
    yield f"  site[{_label([picture.title, picture.description, picture.summary])}]"
    networks = {wire.name: f"net{at}" for at, wire in enumerate(picture.wires)}
    for wire in picture.wires:
        yield f"  {networks[wire.name]}([{_wire(wire)}]):::network"
    for at, card in enumerate(picture.services):
        yield from _machine(f"service{at}", card, networks)
    hosts = {card.name: f"host{at}" for at, card in enumerate(picture.physical)}
    for card in picture.physical:
        yield from _host(hosts[card.name], card, networks)
    for at, card in enumerate(picture.workers):
        yield from _machine(f"worker{at}", card, networks)
    for mirror in picture.mirrors:
        words = _label([f"{name}, {size}" for name, size in mirror.volumes])
        first, second = (hosts[peer] for peer in mirror.peers)
        yield f"  {first} <-. {words} .-> {second}"
    yield _CLASSES.rstrip("\n")


def _wire(wire: Wire) -> str:
    return _label([wire.name, *wire.lines, f"hosts: {wire.machines:,}"])


def _machine(node: str, card: Card, networks: dict[str, str]) -> Iterator[str]:
    css = "keeper" if card.keeps() else "machine"
    yield f"  {node}[{_label(card.said())}]:::{css}"
    yield from (f"  {networks[name]} --- {node}" for name in card.networks() if name in networks)


def _host(node: str, card: Card, networks: dict[str, str]) -> Iterator[str]:
    """A physical host: a frame around its virtual machines, or a box if it has none."""
    if not card.inside:
        yield from _machine(node, card, networks)
        return
    yield f"  subgraph {node}[{_label(card.said())}]"
    for at, vm in enumerate(card.inside):
        css = "keeper" if vm.keeps() else "machine"
        yield f"    {node}vm{at}[{_label(vm.said())}]:::{css}"
    yield "  end"
    yield from (f"  {networks[name]} --- {node}" for name in card.networks() if name in networks)


def _label(lines: list[str]) -> str:
    """A quoted label: each line as it is if it is plain, else with Mermaid's entity codes.

    Mermaid looks for colons before it looks for quotes, so beside a code there is none.
    """
    text = list(filter(None, lines))
    if not all(map(_PLAIN.fullmatch, text)):
        text = [_SPECIAL.sub(lambda match: f"#{ord(match[0])};", line) for line in text]
    return f'"{"<br/>".join(text)}"'
