"""A site as a small abstract drawing, of which each format makes its own shapes."""

from __future__ import annotations

from typing import NamedTuple


class Plug(NamedTuple):
    """Where a machine is plugged in: a network's name (or None) and the address, or a range."""

    network: str | None
    address: str


class Pill(NamedTuple):
    """A role of a machine; keepers watch the site and recover it."""

    text: str
    keeper: bool


class Mirror(NamedTuple):
    """Volumes that two physical hosts keep equal: name and size of each."""

    peers: tuple[str, str]
    volumes: tuple[tuple[str, str], ...]


class Card(NamedTuple):
    """A machine, or a number of equal ones, with what is inside of it."""

    name: str
    plugs: tuple[Plug, ...] = ()
    pills: tuple[Pill, ...] = ()
    lines: tuple[str, ...] = ()
    note: str = ""
    number: int = 1
    volumes: tuple[str, ...] = ()
    inside: tuple[Card, ...] = ()

    def keeps(self) -> bool:
        """Whether it watches the site or recovers it."""
        return any(pill.keeper for pill in self.pills)

    def networks(self) -> list[str]:
        """The networks that it is plugged into."""
        return list(dict.fromkeys(plug.network for plug in self.plugs if plug.network))

    def said(self) -> list[str]:
        """All that it says, in lines, some of them empty."""
        name = f"{self.name}, {self.number:,} nodes" if self.number > 1 else self.name
        roles = ", ".join(pill.text for pill in self.pills)
        return [name, roles, *(plug.address for plug in self.plugs), *self.lines, self.note]


class Wire(NamedTuple):
    """A network: its name, what it is like, and how many machines are plugged in."""

    name: str
    lines: tuple[str, ...]
    machines: int


class Picture(NamedTuple):
    """All that a drawing shows."""

    title: str
    description: str
    summary: str
    wires: tuple[Wire, ...]
    services: tuple[Card, ...]
    physical: tuple[Card, ...]
    workers: tuple[Card, ...]
    mirrors: tuple[Mirror, ...]
