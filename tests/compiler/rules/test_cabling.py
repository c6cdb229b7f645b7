"""The rules for cabling and power, and the search for single points of failure."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compiler.rules.checking import Case
from threerc.compiler.model.cabling import Switch
from threerc.compiler.rules.topology import Topology

CASES = [
    Case(
        "single-switch",
        "the one in the middle",
        """
        cabling:
          switches:
            sw1: {}
            sw2:  # !
              uplinks: [sw1]
            sw3: {uplinks: [sw2]}
        physical_hosts:
          alfa01: {address: 192.168.1.1, switches: [sw3, sw2]}
          alfa02: {address: 192.168.1.2, switches: [sw3, sw2]}
          alfa03: {address: 192.168.1.3, switches: [sw1, sw3]}
        virtual_machines: {a: {address: 192.168.1.4, home: alfa02}}
        service_hosts:
          s: {address: 192.168.1.5, switches: [sw1, sw2], roles: [dns]}
          t: {address: 192.168.1.6, switches: [sw1, sw3], roles: [dns]}
        """,
        "switch sw2: its loss takes alfa01, alfa02 and every VM on them",
        "warning",
    ),
    Case(
        "single-switch",
        "a host with two switches is no path between them",
        """
        cabling:
          switches:
            sw1: {}
            sw2: {uplinks: [sw1]}  # !
            sw3: {uplinks: [sw2]}  # !
        physical_hosts:
          alfa01: {address: 192.168.1.1, switches: [sw3]}
          alfa02: {address: 192.168.1.2, switches: [sw1, sw3]}
        service_hosts: {s: {address: 192.168.1.5, switches: [sw1, sw2], roles: [dns]}}
        """,
        "switch sw2: its loss takes alfa01",
    ),
    Case(
        "single-switch",
        "many racks of worker nodes in one line",
        """
        cabling:
          switches:
            core1: {}
            core2: {uplinks: [core1]}
            rack1: {uplinks: [core1, core2]}  # !
            rack2: {uplinks: [core1, core2]}
            rack3: {uplinks: [core1, core2]}
            rack4: {uplinks: [core1, core2]}
        worker_nodes:
          a[1-9]: {address: 192.168.1.1-192.168.1.9, switches: [rack1]}
          b1: {address: 192.168.1.11, switches: [rack2]}
          c1: {address: 192.168.1.21, switches: [rack3]}
          d1: {address: 192.168.1.31, switches: [rack4]}
        """,
        "switch rack1: its loss takes a1, a2 and 7 more; 3 more switches each take worker nodes",
    ),
    Case(
        "single-switch",
        "two of everything, or no cables told",
        """
        cabling:
          switches:
            sw1: {}
            sw2: {uplinks: [sw1]}
            sw3: {uplinks: [sw1, sw2]}
        physical_hosts:
          alfa01: {address: 192.168.1.1, switches: [sw1, sw2]}
          alfa02: {address: 192.168.1.2, switches: [sw2, sw3]}
          alfa03: {address: 192.168.1.3}
        """,
    ),
    Case(
        "single-feed",
        "a PDU by its hosts, one by its switches, and their UPS circuit",
        """
        cabling:
          switches:
            sw1: {pdus: [pdu1]}
            sw2: {uplinks: [sw1], pdus: [pdu1, pdu2]}
          pdus:
            pdu1: {ups: [ups1]}  # !
            pdu2: {ups: [ups1]}  # !
            pdu3: {}
            pdu4: {ups: [ups1, ups2]}
          ups:
            ups1: {}  # !
            ups2: {}
        physical_hosts:
          alfa01: {address: 192.168.1.1, switches: [sw1], pdus: [pdu3, pdu4]}
          alfa02: {address: 192.168.1.2, switches: [sw1, sw2], pdus: [pdu2]}
          alfa03: {address: 192.168.1.3, switches: [sw2], pdus: [pdu1, pdu2, pdu3]}
        """,
        "PDU pdu1: its loss takes alfa01",
        "warning",
    ),
    Case(
        "single-feed",
        "two feeds, and the mains",
        """
        cabling:
          switches: {sw1: {pdus: [pdu1, pdu2]}}
          pdus: {pdu1: {ups: [ups1]}, pdu2: {}}
          ups: {ups1: {}}
        physical_hosts:
          alfa01: {address: 192.168.1.1, switches: [sw1], pdus: [pdu1, pdu2]}
          alfa02: {address: 192.168.1.2, switches: [sw1]}
        """,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rule(case: Case, tmp_path: Path) -> None:
    case.check(tmp_path)


NODES = [f"s{number}" for number in range(8)]
CABLES = st.sets(st.sampled_from(list(combinations(NODES, 2))))
WEIGHTS = st.fixed_dictionaries({node: st.integers(0, 5) for node in NODES})


def topology(cables: set[tuple[str, str]], weights: dict[str, int]) -> Topology:
    uplinks = {node: tuple(b for a, b in sorted(cables) if a == node) for node in NODES}
    return Topology({node: Switch(uplinks=uplinks[node]) for node in NODES}, weights)


@given(CABLES, WEIGHTS, st.sets(st.sampled_from(NODES), min_size=1, max_size=3))
def test_what_is_gone_is_what_networkx_says(
    cables: set[tuple[str, str]], weights: dict[str, int], dead: set[str]
) -> None:
    """Of each network all is gone but one part, and none of its parts is heavier."""
    gone = topology(cables, weights).gone(frozenset(dead))
    graph: nx.Graph[str] = nx.Graph(cables)
    graph.add_nodes_from(NODES)
    networks = [set(network) for network in nx.connected_components(graph)]
    graph.remove_nodes_from(dead)
    assert dead <= gone
    for network in networks:
        parts = [set(part) for part in nx.connected_components(graph.subgraph(network - dead))]
        left = [part for part in parts if not part & gone]
        assert len(left) == min(1, len(parts))
        assert gone & network == network.difference(*left)
        assert all(weigh(part, weights) <= weigh(left[0], weights) for part in parts)


def weigh(part: set[str], weights: dict[str, int]) -> int:
    return sum(weights[name] for name in part)
