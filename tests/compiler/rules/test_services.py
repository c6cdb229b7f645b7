"""The rules for services."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.rules.checking import Case

CASES = [
    Case(
        "service-missing",
        "all that a host to be installed needs",
        """
        os_profiles:
          sl4: {installer: kickstart, kernel: k, initrd: i, repository: "http://a/"}
        worker_nodes:
          wn[1-9]:
            address: 192.168.1.1-192.168.1.9
            mac: 02:00:00:00:00:01-02:00:00:00:00:09
            os: sl4
        service_hosts:  # !
          s: {address: 192.168.1.20, roles: [dhcp, tftp, dns]}
        """,
        "no host has the role `install`, needed to install wn1, wn2 and 7 more",
        "warning",
    ),
    Case(
        "service-missing",
        "a controller for VMs, and no service host at all",
        """
        physical_hosts: {p1: {address: 192.168.1.1}}
        virtual_machines: {a: {address: 192.168.1.2, home: p1}}
        """,
        head="site: test  # !\ndomain: example.org\nnetworks: {lan: {prefix: 192.168.1.0/24}}\n",
        says="no host has the role `controller`, needed to keep alive a",
    ),
    Case(
        "service-missing",
        "a collector for controllers",
        """
        service_hosts:  # !
          s: {address: 192.168.1.20, roles: [controller]}
        """,
        "no host has the role `collector`, needed to tell the controllers on s who is down",
    ),
    Case(
        "service-missing",
        "all there, and hosts that boot by themselves",
        """
        worker_nodes: {wn1: {address: 192.168.1.1, mac: "02:00:00:00:00:01"}}
        service_hosts: {s: {address: 192.168.1.20}}
        """,
    ),
    Case(
        "single-service",
        "one controller and one collector",
        """
        service_hosts:
          s:
            address: 192.168.1.20
            roles:
              - dns
              - collector  # !
              - controller  # !
        """,
        "s is the only collector",
        "warning",
    ),
    Case(
        "single-service",
        "two of each",
        """
        service_hosts:
          s: {address: 192.168.1.20, roles: [dns, collector, controller]}
          t: {address: 192.168.1.21, roles: [collector, controller]}
        """,
    ),
    Case(
        "rare-heartbeat",
        "dead after two",
        """
        monitoring:
          down_after: 2  # !
        """,
        "a host is dead after 40 s without a heartbeat, of which one comes every 20 s",
    ),
    Case(
        "rare-heartbeat",
        "often and soon",
        """
        monitoring: {heartbeat: 2, down_after: 0.5}
        """,
    ),
    Case(
        "dhcp-pair",
        "three with a pool",
        """
          pooled: {prefix: 10.0.0.0/24, pool: 10.0.0.10-10.0.0.20}
        service_hosts:
          s: {address: 192.168.1.20, roles: [dhcp]}
          t: {address: 192.168.1.21, roles: [dhcp]}
          u:
            address: 192.168.1.22
            roles:
              - tftp
              - dhcp  # !
        """,
        "u is one DHCP server too many",
    ),
    Case(
        "dhcp-pair",
        "three without a pool",
        "service_hosts: {'s[1-3]': {address: 192.168.1.1-192.168.1.3, roles: [dhcp]}}",
    ),
    Case(
        "kea-statements",
        "of the site, of a network, of an interface",
        """
          other:
            prefix: 10.0.0.0/24
            dhcp: [always-broadcast on]  # !
        dhcp:
          server: kea
          statements: [always-broadcast on]  # !
        service_hosts:
          s:
            interfaces:
              eth1:
                address: 192.168.1.2
                dhcp: [always-broadcast on]  # !
        """,
        "statements for dhcpd in `other`, but there is Kea",
    ),
    Case(
        "kea-statements",
        "with dhcpd, and Kea without any",
        """
        dhcp: {statements: [always-broadcast on]}
        service_hosts: {s: {address: 192.168.1.2, dhcp: [always-broadcast on], roles: [dhcp]}}
        """,
    ),
    Case(
        "kea-interface",
        "an interface without a name",
        """
          six: {prefix6: 'fd00::/64'}
        dhcp: {server: kea}
        service_hosts:
          s:
            address: 192.168.1.2
            address6: fd00::2  # !
            roles: [dhcp]
        worker_nodes: {w: {address6: 'fd00::3', mac: '02:00:00:00:00:03'}}
        """,
        "s has to serve DHCPv6 on an interface whose name is not known",
    ),
    Case(
        "kea-interface",
        "a name, a further interface, nobody to serve, and dhcpd",
        """
          six: {prefix6: 'fd00::/64'}
          seven: {prefix6: 'fd01::/64'}
        dhcp: {server: kea}
        service_hosts:
          s: {address: 192.168.1.2, address6: 'fd00::2', interface: eno1, roles: [dhcp]}
          t: {address: 192.168.1.3, interfaces: {eth1: {address6: 'fd00::4'}}, roles: [dhcp]}
          u: {address: 192.168.1.4, address6: 'fd01::2', roles: [dhcp]}
        worker_nodes: {w: {address6: 'fd00::3', mac: '02:00:00:00:00:03'}}
        """,
    ),
    Case(
        "service-address",
        "IPv6 alone, and on another interface",
        """
        service_hosts:
          s:
            address6: fd00::1
            roles:
              - dns
              - tftp  # !
              - collector  # !
              - gmetad  # !
          t:
            interfaces: {eth1: {address: 192.168.1.2}}
            roles: [install]  # !
        """,
        "s has the role `tftp`, but no IPv4 address of its own",
    ),
    Case(
        "service-address",
        "IPv4",
        """
        service_hosts:
          s: {address: 192.168.1.2, roles: [dhcp, tftp, install, collector, gmetad]}
          t: {address6: "fd00::1", roles: [dns, controller]}
        """,
    ),
    Case(
        "role-twice",
        "twice",
        """
        service_hosts:
          s:
            address: 192.168.1.2
            roles:
              - dns
              - tftp
              - dns  # !
        """,
        "s has the role `dns` twice",
    ),
    Case("role-twice", "once", "service_hosts: {s: {address: 192.168.1.2, roles: [dns, tftp]}}"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rule(case: Case, tmp_path: Path) -> None:
    case.check(tmp_path)
