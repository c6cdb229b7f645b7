"""The plant: which hosts go when switches, PDUs or UPS circuits fail.

Hosts are leaves: they forward neither packets nor power, so a host with two switches is no path
between them. Hosts with the same cables are one bundle, of which there are few.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from threerc.compiler.model import HostKind, Site
from threerc.compiler.model.host import BareMetal
from threerc.compiler.rules.topology import Names, Topology

_SERVING = 1 << 32
"""A host with roles outweighs any number without: the main part is where the services are."""


class Bundle(NamedTuple):
    """The names of hosts of one kind that have the same switches and PDUs."""

    kind: HostKind
    switches: Names
    pdus: Names
    hosts: list[str]


class Plant:
    """What hangs on what."""

    def __init__(self, site: Site) -> None:
        self._cabling = site.cabling
        bundles: dict[tuple[HostKind, tuple[str, ...], tuple[str, ...]], Bundle] = {}
        for host, names in site.examples:
            if isinstance(host, BareMetal) and (host.switches or host.pdus):
                key = (host.kind, host.switches, host.pdus)
                if key not in bundles:
                    bundles[key] = Bundle(key[0], frozenset(key[1]), frozenset(key[2]), [])
                bundles[key].hosts.extend(names)
        self._bundles = list(bundles.values())
        self._on_switch = _ends(each.switches for each in self._bundles)
        self._on_pdu = _ends(each.pdus for each in self._bundles)
        switches = {name: frozenset(each.pdus) for name, each in site.cabling.switches.items()}
        self._fed = list(switches.items())
        self._fed_by = _ends(switches.values())
        weights: Counter[str] = Counter()
        serving = {host.name for host in site.where(lambda each: each.roles)}
        for bundle in self._bundles:
            weight = sum(_SERVING if name in serving else 1 for name in bundle.hosts)
            weights.update(dict.fromkeys(bundle.switches, weight))
        self._topology = Topology(self._cabling.switches, weights)

    def without_switch(self, name: str) -> list[Bundle]:
        """The hosts that are cut off when a switch fails."""
        return self._losses(frozenset({name}), frozenset())

    def without_pdus(self, names: Names) -> list[Bundle]:
        """The hosts that go when PDUs fail: by their own power, or by their switches'."""
        near = {at for name in names for at in self._fed_by.get(name, ())}
        dark = (self._fed[at][0] for at in near if names >= self._fed[at][1])
        return self._losses(frozenset(dark), names)

    def without_ups(self, name: str) -> list[Bundle]:
        """The hosts that go when a UPS circuit fails, with the PDUs that it alone feeds."""
        pdus = self._cabling.pdus.items()
        return self.without_pdus(frozenset(each for each, pdu in pdus if {*pdu.ups} == {name}))

    def _losses(self, switches: Names, pdus: Names) -> list[Bundle]:
        lost: set[int] = set()
        for name in pdus:
            near = self._on_pdu.get(name, ())
            lost.update(at for at in near if pdus >= self._bundles[at].pdus)
        gone = self._topology.gone(switches)
        for name in gone:
            near = self._on_switch.get(name, ())
            lost.update(at for at in near if gone >= self._bundles[at].switches)
        return [self._bundles[at] for at in sorted(lost)]


def _ends(cables: Iterable[Names]) -> dict[str, list[int]]:
    """The positions of the cables that end at each name."""
    found: dict[str, list[int]] = {}
    for position, names in enumerate(cables):
        for name in names:
            found.setdefault(name, []).append(position)
    return found
