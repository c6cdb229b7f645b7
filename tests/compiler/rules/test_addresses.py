"""The rules for networks and addresses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.rules.checking import Case

BARE = "site: test\ndomain: example.org\n"
_RANGE = 'wn[1-6]: {address: 192.168.1.1-192.168.1.6, mac: "02:00:00:00:00:01-02:00:00:00:00:06"}'

CASES = [
    Case(
        "network-prefix",
        "none",
        """
        networks:
          lan: {vlan: 5}  # !
        """,
        "network `lan` has no prefix",
        head=BARE,
    ),
    Case("network-prefix", "IPv6 alone", "networks: {lan: {prefix6: 'fd00::/64'}}", head=BARE),
    Case(
        "networks-overlap",
        "one inside another, and equal ones",
        """
        networks:
          inner:
            prefix: 10.0.1.0/24  # !
          outer: {prefix: 10.0.0.0/16}
          last:
            prefix: 10.0.200.0/24  # !
            prefix6: fd00::/64
          again:
            prefix6: fd00::/64  # !
        """,
        "10.0.1.0/24 of `inner` overlaps 10.0.0.0/16 of `outer`",
        head=BARE,
    ),
    Case(
        "networks-overlap",
        "neighbours",
        "networks: {a: {prefix: 10.0.0.0/24, prefix6: 'fd00::/64'}, b: {prefix: 10.0.1.0/24}}",
        head=BARE,
    ),
    Case(
        "gateway-in-network",
        "outside, broadcast, and without a prefix",
        """
        networks:
          a:
            prefix: 10.0.0.0/24
            gateway: 10.0.1.1  # !
            gateway6: fd00::1  # !
          b:
            prefix: 10.0.1.0/24
            gateway: 10.0.1.255  # !
          c:
            prefix6: fd00:1::/64
            gateway6: "fd00:1::"  # !
        """,
        "gateway 10.0.1.1 is not inside 10.0.0.0/24",
        head=BARE,
    ),
    Case(
        "gateway-in-network",
        "inside, and in a point-to-point network",
        """
        networks:
          a: {prefix: 10.0.0.0/24, gateway: 10.0.0.1, prefix6: "fd00::/64", gateway6: "fd00::1"}
          b: {prefix: 10.0.1.0/31, gateway: 10.0.1.0}
        """,
        head=BARE,
    ),
    Case(
        "pool-in-network",
        "outside, over the gateway, over the broadcast address",
        """
        networks:
          a:
            prefix: 10.0.0.0/24
            pool: 10.0.0.200-10.0.1.20  # !
          b:
            prefix: 10.0.2.0/24
            gateway: 10.0.2.254
            pool: 10.0.2.250-10.0.2.254  # !
          c:
            prefix: 10.0.3.0/24
            pool: 10.0.3.250-10.0.3.255  # !
          d:
            prefix6: fd00::/64
            pool: 10.0.4.1-10.0.4.2  # !
        """,
        "the pool 10.0.0.200-10.0.1.20 is not inside 10.0.0.0/24",
        head=BARE,
    ),
    Case(
        "pool-in-network",
        "all but the special addresses",
        "networks: {a: {prefix: 10.0.0.0/24, gateway: 10.0.0.254, pool: 10.0.0.1-10.0.0.253}}",
        head=BARE,
    ),
    Case(
        "host-address",
        "none, and none of its own",
        """
        worker_nodes:
          wn1: {}  # !
          wn2: {interfaces: {eth1: {address: 192.168.1.1}}}  # !
        """,
        "wn1 has no address",
    ),
    Case(
        "host-address",
        "of either kind",
        "worker_nodes: {a: {address: 192.168.1.1}, b: {address6: 'fd00::2'}}",
    ),
    Case(
        "address-in-network",
        "in no network",
        """
        worker_nodes:
          wn1:
            address: 192.168.2.1  # !
            address6: fd00::1  # !
            interfaces:
              eth1:
                address: 10.0.0.1  # !
        """,
        "192.168.2.1 of wn1 lies in no network of the site",
    ),
    Case("address-in-network", "in one", "worker_nodes: {wn1: {address: 192.168.1.1}}"),
    Case(
        "address-reserved",
        "network, broadcast, gateway and anycast address",
        """
          six: {prefix6: "fd00::/64", gateway6: "fd00::ff"}
        worker_nodes:
          a:
            address: 192.168.1.0  # !
          b:
            address: 192.168.1.255  # !
          c:
            address: 192.168.1.254  # !
          d:
            address6: "fd00::"  # !
          e:
            address6: "fd00::ff"  # !
        """,
        "192.168.1.0 of a is the network address of `lan`",
    ),
    Case(
        "address-reserved",
        "first and last address of a point-to-point network",
        """
          p: {prefix: 10.0.0.0/31, prefix6: "fd00::/127"}
        worker_nodes:
          a: {address: 10.0.0.0, address6: "fd00::"}
          b: {address: 10.0.0.1, address6: "fd00::1"}
          c: {address: 192.168.1.1}
        """,
    ),
    Case(
        "address-in-pool",
        "inside",
        """
          pooled: {prefix: 10.0.0.0/24, pool: 10.0.0.10-10.0.0.20}
        worker_nodes:
          a:
            address: 10.0.0.10  # !
          b:
            address: 10.0.0.9
            interfaces:
              eth1:
                address: 10.0.0.20  # !
        """,
        "10.0.0.10 of a is inside the pool 10.0.0.10-10.0.0.20 of `pooled`",
    ),
    Case(
        "address-in-pool",
        "beside",
        """
          pooled: {prefix: 10.0.0.0/24, prefix6: "::/64", pool: 10.0.0.10-10.0.0.20}
        worker_nodes:
          a: {address: 10.0.0.9}
          b: {address: 10.0.0.21, address6: "::a00:f"}
        """,
    ),
    Case(
        "unique-address",
        "of two hosts, of one host's interfaces, of a management board",
        """
        physical_hosts:
          p1:
            address: 192.168.1.9  # !
            power: {kind: ipmi, address: 192.168.1.9, password: {env: PW}}
          p2:
            address: 192.168.1.8
            power:
              kind: ipmi
              address: 192.168.1.9  # !
              password: {env: PW}
        worker_nodes:
          a: {address: 192.168.1.1, interfaces: {eth1: {address6: fd00::1}}}
          b:
            address: 192.168.1.1  # !
            address6: fd00::1  # !
        """,
        "192.168.1.9 of p1 is also that of the management board of p1 (line 9)",
    ),
    Case(
        "unique-address",
        "the same number in IPv4 and IPv6",
        """
        worker_nodes:
          a: {address: 192.168.1.1}
          b: {address6: "::c0a8:101"}
        """,
    ),
    Case(
        "unique-mac",
        "in another case, on another interface",
        """
        worker_nodes:
          a: {address: 192.168.1.1, mac: "02:00:00:00:00:0A"}
          b:
            address: 192.168.1.2
            interfaces:
              eth1:
                mac: 02:00:00:00:00:0a  # !
        """,
        "02:00:00:00:00:0a of b-eth1 is also that of a (line 7)",
    ),
    *(
        Case(
            rule,
            f"of a range and an entry of its own that {order}",
            f"""
            worker_nodes:
              {first}
              {then}
            """,
            says,
        )
        for rule, single, says in (
            (
                "unique-mac",
                'wn2: {address: 192.168.1.9, mac: "02:00:00:00:00:04"}  # !',
                "02:00:00:00:00:04 of wn2 is also that of wn4 (line ",
            ),
            (
                "unique-address",
                'wn2: {address: 192.168.1.4, mac: "02:00:00:00:00:09"}  # !',
                "192.168.1.4 of wn2 is also that of wn4 (line ",
            ),
        )
        for order, (first, then) in (
            ("comes later", (_RANGE, single)),
            ("comes first", (single, _RANGE)),
        )
    ),
    Case(
        "unique-mac",
        "different ones, and none",
        """
        worker_nodes:
          a: {address: 192.168.1.1, mac: 02:00:00:00:00:0a}
          b: {address: 192.168.1.2, mac: 02:00:00:00:00:0b}
          c: {address: 192.168.1.3}
          d: {address: 192.168.1.4}
        """,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rule(case: Case, tmp_path: Path) -> None:
    case.check(tmp_path)
