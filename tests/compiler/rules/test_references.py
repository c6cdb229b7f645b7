"""The rules for what hosts refer to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.rules.checking import Case

CASES = [
    Case(
        "os-exists",
        "a misspelling",
        """
        os_profiles:
          sl4-32: {installer: manual, kernel: k, initrd: i}
        worker_nodes:
          a:
            address: 192.168.1.1
            os: sl4_32  # !
          b:
            address: 192.168.1.2
            os: windows  # !
        """,
        "there is no OS profile `sl4_32`, did you mean `sl4-32`?",
    ),
    Case(
        "os-exists",
        "declared",
        """
        os_profiles: {sl4: {installer: manual, kernel: k, initrd: i}}
        worker_nodes: {a: {address: 192.168.1.1, os: sl4}, b: {address: 192.168.1.2}}
        """,
    ),
    Case(
        "middleware-exists",
        "of a host, and required",
        """
        middleware:
          ig_CE:
            requires: [ig_bas]  # !
          ig_base: {}
        worker_nodes:
          a:
            address: 192.168.1.1
            middleware: IG_ce  # !
        """,
        "there is no middleware `ig_bas`, did you mean `ig_base`?",
    ),
    Case(
        "middleware-exists",
        "declared",
        """
        middleware: {ig_CE: {requires: [ig_base]}, ig_base: {}}
        worker_nodes: {a: {address: 192.168.1.1, middleware: ig_CE}}
        """,
    ),
    Case(
        "home-exists",
        "a misspelling, an alias, and a host of another kind",
        """
        physical_hosts:
          alfa01: {address: 192.168.1.1, aliases: [big]}
        worker_nodes:
          wn1: {address: 192.168.1.2}
        virtual_machines:
          a:
            address: 192.168.1.3
            home: alfa1  # !
          b:
            address: 192.168.1.4
            home: big  # !
          c:
            address: 192.168.1.5
            home: wn1  # !
          d:
            address: 192.168.1.6
            home: a  # !
        """,
        "there is no physical host `alfa1`, did you mean `alfa01`?",
    ),
    Case(
        "home-exists",
        "a physical host",
        """
        physical_hosts: {alfa01: {address: 192.168.1.1}}
        virtual_machines: {a: {address: 192.168.1.3, home: alfa01}}
        """,
    ),
    Case(
        "allowed-exists",
        "the one that does not",
        """
        physical_hosts:
          alfa01: {address: 192.168.1.1}
        virtual_machines:
          a:
            address: 192.168.1.3
            home: alfa01
            allowed:
              - alfa01
              - alfa02  # !
              - a  # !
        """,
        "there is no physical host `alfa02`, did you mean `alfa01`?",
    ),
    Case(
        "allowed-exists",
        "physical hosts",
        """
        physical_hosts: {p1: {address: 192.168.1.1}, p2: {address: 192.168.1.2}}
        virtual_machines: {a: {address: 192.168.1.3, home: p1, allowed: [p2]}}
        """,
    ),
    Case(
        "volume-exists",
        "a misspelling",
        """
        physical_hosts: {p1: {address: 192.168.1.1}, p2: {address: 192.168.1.2}}
        virtual_machines:
          a:
            address: 192.168.1.3
            home: p1
            volume: gridze  # !
        volumes:
          gridse: {peers: [p1, p2], disk: /dev/a, size: 1GiB}
        """,
        "there is no volume `gridze`, did you mean `gridse`?",
    ),
    Case(
        "volume-exists",
        "declared",
        """
        physical_hosts: {p1: {address: 192.168.1.1}, p2: {address: 192.168.1.2}}
        virtual_machines: {a: {address: 192.168.1.3, home: p1, volume: v}}
        volumes: {v: {peers: [p1, p2], disk: /dev/a, size: 1GiB}}
        """,
    ),
    Case(
        "start-after-exists",
        "a host that is no VM",
        """
        physical_hosts:
          p1: {address: 192.168.1.1}
        virtual_machines:
          a:
            address: 192.168.1.3
            home: p1
            start_after:
              - p1  # !
              - b  # !
        """,
        "`p1` is a physical host, not a virtual machine",
    ),
    Case(
        "start-after-exists",
        "a VM",
        """
        physical_hosts: {p1: {address: 192.168.1.1}}
        virtual_machines:
          a: {address: 192.168.1.3, home: p1, start_after: [b]}
          b: {address: 192.168.1.4, home: p1}
        """,
    ),
    Case(
        "switch-exists",
        "of a host, and an uplink",
        """
        cabling:
          switches:
            sw1:
              uplinks: [sw3]  # !
            sw2: {}
        worker_nodes:
          a:
            address: 192.168.1.1
            switches: [sw1, sw22]  # !
        """,
        "there is no switch `sw3`",
    ),
    Case(
        "switch-exists",
        "declared",
        """
        cabling: {switches: {sw1: {uplinks: [sw2]}, sw2: {}}}
        worker_nodes: {a: {address: 192.168.1.1, switches: [sw1]}}
        """,
    ),
    Case(
        "pdu-exists",
        "of a host and of a switch",
        """
        cabling:
          switches:
            sw1:
              pdus: [pdu9]  # !
          pdus:
            pdu1: {}
        worker_nodes:
          a:
            address: 192.168.1.1
            pdus: [pdu2]  # !
        """,
        "there is no PDU `pdu9`, did you mean `pdu1`?",
    ),
    Case(
        "pdu-exists",
        "declared",
        """
        cabling: {switches: {sw1: {pdus: [pdu1]}}, pdus: {pdu1: {}}}
        worker_nodes: {a: {address: 192.168.1.1, pdus: [pdu1]}}
        """,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rule(case: Case, tmp_path: Path) -> None:
    case.check(tmp_path)
