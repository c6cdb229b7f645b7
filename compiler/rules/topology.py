"""The network of switches, and what of it is cut off when some of them fail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import accumulate

from threerc.compiler.model.cabling import Switch

Names = frozenset[str]
Weights = Mapping[str, int]


class Topology:
    """Switches joined by uplinks, which carry both ways.

    `weights` says how much hangs on each switch: of the parts that a failure leaves of a network,
    the heaviest is the main part, and the others are cut off.
    """

    def __init__(self, switches: Mapping[str, Switch], weights: Weights) -> None:
        links: dict[str, dict[str, None]] = {name: {} for name in switches}
        for name, switch in switches.items():
            for other in switch.uplinks:
                if other in links and other != name:
                    links[name][other] = links[other][name] = None
        self._links = {name: list(others) for name, others in links.items()}
        self._weights = weights
        self._known: dict[Names, Names] = {}

    def gone(self, dead: Names) -> Names:
        """Switches that fail, and those that they cut off from their network's main part."""
        if dead not in self._known:
            # A switch at the end of a cable parts nothing.
            inner = [name for name in dead if len(self._links[name]) > 1]
            if len(inner) > 1 or (len(dead) > 1 and not self._joints.isdisjoint(inner)):
                self._known[dead] = dead.union(*self._side_parts(dead))
            elif inner and inner[0] in self._joints:
                self._known[dead] = dead | self._beyond(inner[0])
            else:
                self._known[dead] = dead
        return self._known[dead]

    @cached_property
    def _joints(self) -> Names:
        """The switches whose loss parts the network (articulation points)."""
        edges = [(name, other) for name, others in self._links.items() for other in others]
        if not edges:
            return frozenset()
        import networkx as nx  # noqa: PLC0415 - 0.2 s that most sites need not spend

        return frozenset(nx.articulation_points(nx.Graph(edges)))

    def _side_parts(self, dead: Names) -> Iterator[set[str]]:
        """The parts that each network falls into without these switches, but for its main part."""
        seen: set[str] = set()
        for network in self._parts(dead, seen, frozenset()):
            inside = (name for name in self._links if name in network)
            parts = self._parts(inside, set(dead), dead)
            yield from sorted(parts, key=lambda part: sum(self._weights[name] for name in part))[
                :-1
            ]

    def _parts(self, starts: Iterable[str], seen: set[str], dead: Names) -> list[set[str]]:
        """The connected parts around these switches; adds to those already seen."""
        parts: list[set[str]] = []
        for start in starts:
            if start in seen:
                continue
            part, queue = {start}, [start]
            while queue:
                fresh = [o for o in self._links[queue.pop()] if o not in part and o not in dead]
                part.update(fresh)
                queue.extend(fresh)
            seen |= part
            parts.append(part)
        return parts

    def _beyond(self, joint: str) -> Names:
        """What one articulation point cuts off.

        Of a depth-first tree it leaves whole branches, and the rest of the tree: all are spans
        of the order in which the tree was walked.
        """
        walk = self._walk
        at = walk.position[joint]
        start, end = walk.network[at], walk.end[walk.network[at]]
        branches = [
            (child, walk.end[child]) for child in walk.children[at] if walk.low[child] >= at
        ]
        sums = walk.sums
        weights = [sums[last] - sums[first] for first, last in branches]
        rest = sums[end] - sums[start] - sum(weights) - self._weights[joint]
        heaviest = max(weights)
        if start == at or heaviest > rest:
            main = branches[weights.index(heaviest)]
            cut = [*walk.order[start : main[0]], *walk.order[main[1] : end]]
        else:
            cut = [name for first, last in branches for name in walk.order[first:last]]
        return frozenset(cut)

    @cached_property
    def _walk(self) -> _Walk:
        return _Walk(self._links, self._weights)


class _Walk:
    """A depth-first walk over all switches; positions are those in `order`.

    `end` is where a switch's branch ends, `low` the first position that its branch reaches
    (Tarjan 1972), `network` the first position of its network, `sums` the running weight.
    """

    def __init__(self, links: Mapping[str, list[str]], weights: Weights) -> None:
        self.order: list[str] = []
        self.position: dict[str, int] = {}
        parents: list[int] = []
        for start in links:
            stack = [(start, -1)]
            while stack:
                name, parent = stack.pop()
                if name not in self.position:
                    at = self.position[name] = len(self.order)
                    self.order.append(name)
                    parents.append(parent)
                    stack.extend((other, at) for other in links[name])
        count = len(self.order)
        self.children: list[list[int]] = [[] for _ in range(count)]
        self.end = [at + 1 for at in range(count)]
        self.low = [
            min([at, *map(self.position.__getitem__, links[self.order[at]])]) for at in range(count)
        ]
        for at in range(count - 1, -1, -1):
            parent = parents[at]
            if parent >= 0:
                self.children[parent].append(at)
                self.end[parent] = max(self.end[parent], self.end[at])
                self.low[parent] = min(self.low[parent], self.low[at])
        self.network = [at if parents[at] < 0 else -1 for at in range(count)]
        for at in range(count):
            if parents[at] >= 0:
                self.network[at] = self.network[parents[at]]
        self.sums = [0, *accumulate(weights[name] for name in self.order)]
