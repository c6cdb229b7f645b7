"""The plant as a graph: which hosts go when switches, PDUs or UPS circuits fail.

Hosts are leaves: they forward neither packets nor power, so a host with two switches is no path
between them. Hosts with the same cables are one bundle, of which there are few.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

from threerc.compiler.model import Host, Site
from threerc.compiler.model.host import BareMetal

Names = frozenset[str]


class Bundle(NamedTuple):
    """Hosts that have the same switches and PDUs."""

    switches: Names
    pdus: Names
    hosts: list[Host]


class Plant:
    """What hangs on what."""

    def __init__(self, site: Site) -> None:
        self._cabling = site.cabling
        bundles: dict[tuple[tuple[str, ...], tuple[str, ...]], Bundle] = {}
        for host in site.hosts.values():
            if isinstance(host, BareMetal) and (host.switches or host.pdus):
                key = (tuple(host.switches), tuple(host.pdus))
                if key not in bundles:
                    bundles[key] = Bundle(frozenset(key[0]), frozenset(key[1]), [])
                bundles[key].hosts.append(host)
        self._bundles = list(bundles.values())
        self._on_switch: dict[str, list[int]] = {}
        self._on_pdu: dict[str, list[int]] = {}
        for position, bundle in enumerate(self._bundles):
            for switch in bundle.switches:
                self._on_switch.setdefault(switch, []).append(position)
            for pdu in bundle.pdus:
                self._on_pdu.setdefault(pdu, []).append(position)
        self._cut_off: dict[Names, Names] = {}

    def without_switches(self, dead: Iterable[str]) -> list[Host]:
        """The hosts that are cut off when these switches fail, in the YAML's order by bundle."""
        gone = self._gone(frozenset(dead))
        return self._hosts(self._only_on(gone, self._on_switch, 0))

    def without_pdus(self, dead: Iterable[str]) -> list[Host]:
        """The hosts that go when these PDUs fail: their own feeds, or their switches'."""
        pdus = frozenset(dead)
        switches = self._cabling.switches
        dark = (name for name, switch in switches.items() if switch.pdus and pdus >= {*switch.pdus})
        gone = self._gone(frozenset(dark))
        unfed = self._only_on(pdus, self._on_pdu, 1)
        return self._hosts(unfed | self._only_on(gone, self._on_switch, 0))

    def fed_only_by(self, ups: str) -> list[str]:
        """The PDUs that fail with a UPS circuit."""
        return [name for name, pdu in self._cabling.pdus.items() if {*pdu.ups} == {ups}]

    def _hosts(self, positions: set[int]) -> list[Host]:
        return [host for position in sorted(positions) for host in self._bundles[position].hosts]

    def _only_on(self, gone: Names, index: dict[str, list[int]], side: int) -> set[int]:
        """The bundles of which every cable on that side ends at what is gone."""
        near = {position for name in gone for position in index.get(name, ())}
        return {position for position in near if gone.issuperset(self._bundles[position][side])}

    @cached_property
    def _graph(self) -> dict[str, list[str]]:
        """The switches that each switch is cabled to, either way."""
        graph: dict[str, dict[str, None]] = {name: {} for name in self._cabling.switches}
        for name, switch in self._cabling.switches.items():
            for other in switch.uplinks:
                if other in graph and other != name:
                    graph[name][other] = graph[other][name] = None
        return {name: list(others) for name, others in graph.items()}

    @cached_property
    def _joints(self) -> Names:
        """The switches whose loss parts the network (articulation points)."""
        edges = [(name, other) for name, others in self._graph.items() for other in others]
        if not edges:
            return frozenset()
        import networkx as nx  # noqa: PLC0415 - 0.2 s that most sites need not spend

        return frozenset(nx.articulation_points(nx.Graph(edges)))

    @cached_property
    def _weights(self) -> tuple[Counter[str], Counter[str]]:
        """How many service hosts and how many hosts hang on each switch."""
        services: Counter[str] = Counter()
        hosts: Counter[str] = Counter()
        for bundle in self._bundles:
            serving = sum(bool(host.roles) for host in bundle.hosts)
            for switch in bundle.switches:
                services[switch] += serving
                hosts[switch] += len(bundle.hosts)
        return services, hosts

    def _gone(self, dead: Names) -> Names:
        """Dead switches and those they cut off from the main part, where the services are."""
        if dead not in self._cut_off:
            parted = len(dead) > 1 or dead & self._joints
            self._cut_off[dead] = dead.union(*self._side_parts(dead)) if parted else dead
        return self._cut_off[dead]

    def _side_parts(self, dead: Names) -> list[set[str]]:
        """The parts that each network falls into without these switches, but for its main part."""
        seen = set(dead)
        sides: list[set[str]] = []
        for network in self._parts(dead, set()):
            parts = self._parts((each for each in self._graph if each in network), seen)
            sides.extend(sorted(parts, key=self._weight)[:-1])
        return sides

    def _weight(self, part: set[str]) -> tuple[int, int]:
        services, hosts = self._weights
        return sum(services[name] for name in part), sum(hosts[name] for name in part)

    def _parts(self, starts: Iterable[str], seen: set[str]) -> list[set[str]]:
        """The connected parts that hold these switches, leaving out those already seen."""
        parts: list[set[str]] = []
        for start in starts:
            if start in seen:
                continue
            part, queue = {start}, [start]
            while queue:
                for other in self._graph[queue.pop()]:
                    if other not in part and other not in seen:
                        part.add(other)
                        queue.append(other)
            seen |= part
            parts.append(part)
        return parts
