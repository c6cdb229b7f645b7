"""dhcpd.conf: what it says, and that dhcpd takes it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.compiler.support import HEAD, compiled, good_site, site_of, staged, text_of
from tests.lab import dhcpd, namespace, requires_real
from threerc.compiler.artefacts.dhcpd import compile_dhcpd
from threerc.compiler.model import Site
from threerc.compiler.verify.dhcpd import CHECKER

CONF = "bibe/etc/dhcp/dhcpd.conf"
RELAYED = (
    HEAD
    + """
  servers: {prefix: 10.0.0.0/24, prefix6: 'fd00::/64'}
  other: {prefix: 172.16.0.0/24}
service_hosts:
  a: {address: 10.0.0.2, address6: 'fd00::2', roles: [dhcp, tftp]}
worker_nodes:
  wn1: {address: 192.168.1.1, mac: 02:00:00:00:00:01}
"""
)
"""The server stands in a network in which it serves nobody."""


def test_every_host_with_mac_and_address_has_a_reservation(sns_pisa: Site) -> None:
    text = text_of(compiled(compile_dhcpd, sns_pisa), CONF)
    line = "host gridce { hardware ethernet 02:00:c0:a8:01:1f; fixed-address 192.168.1.31; }"
    assert line in text
    assert text.count("hardware ethernet") == 18


def test_reservations_come_in_the_order_of_addresses(sns_pisa: Site) -> None:
    text = text_of(compiled(compile_dhcpd, sns_pisa), CONF)
    assert text.index("host bussolo") < text.index("host bibe") < text.index("host alfa01")


def test_dhcpd_takes_it(sns_pisa: Site, tmp_path: Path) -> None:
    assert list(staged(tmp_path, compiled(compile_dhcpd, sns_pisa), CHECKER)) == []


def test_dhcpd_takes_a_failover_pair(tmp_path: Path) -> None:
    text = (
        HEAD.replace("boot: true", "boot: true, pool: 192.168.1.200-192.168.1.220")
        + """
service_hosts:
  a: {address: 192.168.1.2, roles: [dhcp, dns, tftp]}
  b: {address: 192.168.1.3, roles: [dhcp]}
"""
    )
    tree = compiled(compile_dhcpd, good_site(tmp_path, text))
    assert "primary;" in text_of(tree, "a/etc/dhcp/dhcpd.conf")
    assert "secondary;" in text_of(tree, "b/etc/dhcp/dhcpd.conf")
    assert list(staged(tmp_path, tree, CHECKER)) == []


SIX = """
site: test
domain: example.org
networks:
  lan:
    prefix6: fd00:1::/64
    domain: farm.example.org
    ntp: [s]
  bare: {prefix6: 'fd00:2::/64'}
service_hosts:
  s:
    address: 192.168.1.2
    address6: fd00:1::2
    interfaces: {eth1: {address6: 'fd00:2::2'}}
    roles: [dhcp, dns]
  t: {address: 192.168.1.3, roles: [dhcp]}
worker_nodes:
  wn1: {address6: 'fd00:1::11', mac: "02:00:00:00:00:01"}
"""


def test_ipv6_addresses_are_reserved(tmp_path: Path) -> None:
    text = SIX.replace("  lan:\n", "  lan:\n    prefix: 192.168.1.0/24\n")
    tree = compiled(compile_dhcpd, good_site(tmp_path, text))
    assert set(tree.entries) == {
        *(f"{host}/etc/dhcp/dhcpd.conf" for host in "st"),
        "s/etc/dhcp/dhcpd6.conf",
    }, "t cannot be asked over IPv6"
    six = text_of(tree, "s/etc/dhcp/dhcpd6.conf")
    assert [line.strip() for line in six.splitlines() if line and line[0] != "#"] == [
        "authoritative;",
        "subnet6 fd00:2::/64 {",
        "}",
        "subnet6 fd00:1::/64 {",
        'option dhcp6.domain-search "farm.example.org", "example.org";',
        "option dhcp6.name-servers fd00:1::2;",
        "option dhcp6.sntp-servers fd00:1::2;",
        "default-lease-time 86400;",
        "max-lease-time 86400;",
        "host wn1 { hardware ethernet 02:00:00:00:00:01; fixed-address6 fd00:1::11; }",
        "}",
    ]
    assert list(staged(tmp_path, tree, CHECKER)) == []
    path = "s/etc/dhcp/dhcpd6.conf"
    broken = six.replace("fixed-address6", "fixed-address")
    tree.entries = {path: tree.entries[path]._replace(content=broken.encode())}
    assert [each.path for each in staged(tmp_path, tree, CHECKER)] == [path]


def test_a_server_knows_every_network_that_it_stands_in(tmp_path: Path) -> None:
    tree = compiled(compile_dhcpd, good_site(tmp_path, RELAYED))
    text = text_of(tree, "a/etc/dhcp/dhcpd.conf")
    assert "\nsubnet 10.0.0.0 netmask 255.255.255.0 {\n}\n" in text
    assert "172.16" not in text
    assert text.count("subnet 192.168.1.0 ") == 1
    assert list(staged(tmp_path, tree, CHECKER)) == []


@requires_real()
def test_dhcpd_starts_where_a_relay_brings_all_requests(tmp_path: Path) -> None:
    tree = compiled(compile_dhcpd, good_site(tmp_path, RELAYED))
    config = tmp_path / "dhcpd.conf"
    config.write_text(text_of(tree, "a/etc/dhcp/dhcpd.conf"))
    with namespace(tmp_path / "net", "10.0.0.2/24") as net, dhcpd(net, config):
        assert net.udp_port_is_bound(67)


def test_the_checker_points_at_the_line(sns_pisa: Site, tmp_path: Path) -> None:
    tree = compiled(compile_dhcpd, sns_pisa)
    entry = tree.entries[CONF]
    tree.entries[CONF] = entry._replace(
        content=entry.content.replace(b"authoritative;", b"authoritative {")
    )
    failure = next(staged(tmp_path, tree, CHECKER))
    assert failure.path == CONF
    assert failure.line > 0


def test_short_names_are_looked_for_in_the_networks_domain_and_the_sites(tmp_path: Path) -> None:
    text = HEAD.replace("boot: true", "boot: true, domain: farm.example.org") + (
        "  other: {prefix: 10.0.0.0/24, boot: true}\n"
        "service_hosts: {bibe: {address: 192.168.1.2, roles: [dhcp, tftp]}}\n"
    )
    tree = compiled(compile_dhcpd, good_site(tmp_path, text))
    assert [line.strip() for line in text_of(tree, CONF).splitlines() if "domain-" in line] == [
        'option domain-name "example.org";',
        'option domain-name "farm.example.org";',
        'option domain-search "farm.example.org", "example.org";',
    ]
    assert list(staged(tmp_path, tree, CHECKER)) == []


def test_a_description_stands_beside_its_host(tmp_path: Path) -> None:
    text = """
service_hosts:
  bibe:
    address: 192.168.1.2
    mac: "02:00:00:00:00:02"
    description: "the \\"old\\" one; } ünder the stairs"
    roles: [dhcp, tftp]
"""
    tree = compiled(compile_dhcpd, good_site(tmp_path, HEAD + text))
    assert '192.168.1.2; } # the "old" one; } ünder the stairs\n' in text_of(tree, CONF)
    assert list(staged(tmp_path, tree, CHECKER)) == []


STATEMENTS = """
site: test
domain: example.org
dhcp: {statements: ["option site-code code 150 = text", 'option site-code "a; {b}"']}
networks:
  lan: {prefix: 192.168.1.0/24, boot: true, dhcp: ['filename "other.0"']}
service_hosts:
  a: {address: 192.168.1.2, mac: 02:00:00:00:00:01, roles: [dhcp, tftp]}
worker_nodes:
  b: {address: 192.168.1.3, mac: 02:00:00:00:00:02, dhcp: ["always-broadcast on"]}
"""


def test_statements_word_by_word(tmp_path: Path) -> None:
    tree = compiled(compile_dhcpd, good_site(tmp_path, STATEMENTS))
    text = text_of(tree, "a/etc/dhcp/dhcpd.conf")
    assert '\noption site-code code 150 = text;\noption site-code "a; {b}";\n' in text
    assert text.index('filename "pxelinux.0";') < text.index('\n  filename "other.0";\n')
    assert "fixed-address 192.168.1.3; always-broadcast on; }\n" in text
    assert list(staged(tmp_path, tree, CHECKER)) == []


@pytest.mark.parametrize(
    "statement", ['include "/etc/x"', "option a b; option c d", "class {", "a # b", 'a "b', "a\nb"]
)
def test_what_is_no_statement(tmp_path: Path, statement: str) -> None:
    loaded = site_of(tmp_path, f"{HEAD}dhcp: {{statements: [{json.dumps(statement)}]}}\n")
    assert [each.rule for each in loaded.findings] == ["dhcp-statement"]
