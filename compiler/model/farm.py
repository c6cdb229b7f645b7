"""Worker nodes, of which a site may have a hundred thousand: those that are alike are held as one.

Nearly all nodes of a farm differ in nothing but name, address and MAC. Whoever can work on columns
of these takes `Site.parts`, and is a hundred times as fast; to all others a Farm is a mapping like
that of any hosts, and makes the nodes that it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from ipaddress import IPv4Address
from itertools import groupby
from socket import inet_ntoa
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from threerc.compiler.model.host import Host, WorkerNode
from threerc.compiler.model.types import HostName


@dataclass(frozen=True)
class Alike:
    """Worker nodes that differ in name, IPv4 address (as a number) and MAC alone, and have all
    three, but no further interface, name or address.

    `example` is the first of them. `network` is the one that all their addresses lie in.
    """

    example: WorkerNode
    names: Sequence[str]
    bits: Sequence[int]
    macs: Sequence[str]
    network: str | None = None

    @cached_property
    def addresses(self) -> list[str]:
        """Their addresses as text."""
        return [inet_ntoa(each.to_bytes(4, "big")) for each in self.bits]

    def node(self, at: int) -> WorkerNode:
        """One of them as a host of its own."""
        own = {"name": self.names[at], "address": IPv4Address(self.bits[at]), "mac": self.macs[at]}
        return self.example.model_copy(update=own)

    def _cut(self, ends: Sequence[int]) -> Iterator[Alike]:
        """The parts that end before these positions, in ascending order; the last is the length."""
        start = 0
        for end in ends:
            if start < end:
                span = slice(start, end)
                columns = self.names[span], self.bits[span], self.macs[span]
                yield Alike(self.node(start), *columns, self.network)
            start = end

    def by(self, networks: Sequence[str | None]) -> Iterator[Alike]:
        """The parts that lie in one network each; `networks` has that of each of the nodes."""
        ends: list[int] = []
        names: list[str | None] = []
        for name, found in groupby(networks):
            ends.append((ends[-1] if ends else 0) + sum(1 for _ in found))
            names.append(name)
        for part, name in zip(self._cut(ends), names, strict=True):
            yield replace(part, network=name)


def plain(node: WorkerNode) -> bool:
    """Whether a node has an address and a MAC, and nothing else that would be its alone."""
    return (
        node.address is not None
        and node.mac is not None
        and node.address6 is None
        and node.dns == "all"
        and not (node.interfaces or node.aliases or node.description or node.dhcp)
    )


class Farm(Mapping[str, WorkerNode]):
    """Worker nodes by name, in the YAML's order; `made` has those that somebody asked for."""

    def __init__(self, parts: Sequence[Alike | WorkerNode] = ()) -> None:
        self.parts = parts
        self.made: dict[str, WorkerNode] = {}

    @cached_property
    def _seats(self) -> dict[str, tuple[Alike, int] | WorkerNode]:
        found: dict[str, tuple[Alike, int] | WorkerNode] = {}
        for part in self.parts:
            if isinstance(part, Alike):
                found.update((name, (part, at)) for at, name in enumerate(part.names))
            else:
                found[part.name] = part
        return found

    def __getitem__(self, name: str) -> WorkerNode:
        seat = self._seats[name]
        if not isinstance(seat, tuple):
            return seat
        if name not in self.made:
            self.made[name] = seat[0].node(seat[1])
        return self.made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._seats)

    def __len__(self) -> int:
        return sum(len(each.names) if isinstance(each, Alike) else 1 for each in self.parts)

    def __contains__(self, name: object) -> bool:
        return name in self._seats

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A mapping of names to nodes as pydantic reads it; a Farm is taken as it is."""

        def made(value: Any, inner: core_schema.ValidatorFunctionWrapHandler) -> Farm:
            return value if isinstance(value, Farm) else cls(tuple(inner(value).values()))

        schema = handler.generate_schema(dict[HostName, WorkerNode])
        shown = core_schema.plain_serializer_function_ser_schema(dict)
        return core_schema.no_info_wrap_validator_function(made, schema, serialization=shown)


class Hosts(Mapping[str, Host]):
    """Hosts of several kinds by name, one kind after the other."""

    def __init__(self, *kinds: Mapping[str, Host]) -> None:
        self._kinds = kinds

    def __getitem__(self, name: str) -> Host:
        for kind in self._kinds:
            if name in kind:
                return kind[name]
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for kind in self._kinds for name in kind))

    def __len__(self) -> int:
        return sum(map(len, self._kinds))

    def __contains__(self, name: object) -> bool:
        return any(name in kind for kind in self._kinds)
