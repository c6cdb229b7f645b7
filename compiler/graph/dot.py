"""The drawing as a graph for Graphviz: `dot -Tsvg`.

Source: graphviz.org/doc/info/lang.html.
"""

from __future__ import annotations

from collections.abc import Iterator

from threerc.compiler.graph.picture import Card, Picture

_HEAD = """\
  compound=true;
  rankdir=TB;
  ranksep=0.4;
  labelloc=t;
  fontname="sans-serif";
  node [shape=box, style="rounded,filled", fillcolor="#f3f5f7", color="#93a0ac"];
  node [fontname="sans-serif", fontsize=10];
  edge [color="#0072b2", fontname="sans-serif", fontsize=9];
"""


def emit(picture: Picture) -> str:
    """The dot file of a picture."""
    return "\n".join(_lines(picture)) + "\n"


def _lines(picture: Picture) -> Iterator[str]:
    yield "// Drawn by 3RC from site.yaml: edit that."
    yield "graph site {"
    yield f"  label={_label([picture.title, picture.description, picture.summary])};"
    yield _HEAD.rstrip("\n")
    networks = {wire.name: f"net{at}" for at, wire in enumerate(picture.wires)}
    for wire in picture.wires:
        label = _label([wire.name, *wire.lines, f"hosts: {wire.machines:,}"])
        look = 'shape=underline, style=solid, color="#0072b2"'
        yield f"  {networks[wire.name]} [label={label}, {look}];"
    for at, card in enumerate(picture.services):
        yield from _machine(f"service{at}", card, networks)
    hosts = {card.name: f"host{at}" for at, card in enumerate(picture.physical)}
    for card in picture.physical:
        yield from _host(hosts[card.name], card, networks)
    for at, card in enumerate(picture.workers):
        yield from _machine(f"worker{at}", card, networks)
    for mirror in picture.mirrors:
        first, second = (hosts[peer] for peer in mirror.peers)
        label = _label([f"{name}, {size}" for name, size in mirror.volumes])
        yield (
            f"  {first} -- {second} [label={label}, style=dashed, constraint=false, "
            f'color="#2f4a66", ltail=cluster_{first}, lhead=cluster_{second}];'
        )
    yield "}"


def _machine(node: str, card: Card, networks: dict[str, str]) -> Iterator[str]:
    """A machine, and its lines to its networks."""
    look = ', fillcolor="#2f4a66", color="#2f4a66", fontcolor="#ffffff"' if card.keeps() else ""
    look += ", peripheries=2" if card.number > 1 else ""
    yield f"  {node} [label={_label(card.said())}{look}];"
    yield from (f"  {networks[name]} -- {node};" for name in card.networks() if name in networks)


def _host(node: str, card: Card, networks: dict[str, str]) -> Iterator[str]:
    """A physical host: a frame with itself and, below it, its virtual machines."""
    yield f"  subgraph cluster_{node} {{"
    yield '    style="rounded,filled"; fillcolor="#ffffff"; color="#93a0ac"; label="";'
    yield from _machine(node, card, {})
    above = node
    for at, vm in enumerate(card.inside):
        below = f"{node}vm{at}"
        yield from _machine(below, vm, {})
        yield f"  {above} -- {below} [style=invis];"
        above = below
    yield "  }"
    yield from (f"  {networks[name]} -- {node};" for name in card.networks() if name in networks)


def _label(lines: list[str]) -> str:
    """A quoted label; dot reads backslashes and XML entities in it."""
    return '"' + "\\n".join(map(_escaped, filter(None, lines))) + '"'


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
