"""Zones: what they say, when their serials move, and that BIND takes them."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable
from datetime import date
from ipaddress import ip_address, ip_network
from pathlib import Path

import dns.name
import dns.zone
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compiler.support import HEAD, TODAY, compiled, good_site, site_of, staged, text_of
from threerc.compiler.artefacts.zones import compile_zones
from threerc.compiler.lock import Lock
from threerc.compiler.model import Network, ServiceHost, Site
from threerc.compiler.tree import Tree
from threerc.compiler.verify.base import Checker
from threerc.compiler.verify.zones import CHECKERS

BIND = "bibe/etc/bind"
ODD = """
site: odd
domain: example.org
dns: {contact: first.last@other.net, mx: [{host: mail}, {host: mx.other.org, preference: 5}]}
networks:
  lan: {prefix: 192.168.1.0/26}
  more: {prefix: 192.168.1.64/27}
  one: {prefix: 192.168.1.200/32}
  public: {prefix: 203.0.113.128/25}
  farm: {prefix: 10.0.0.0/22, prefix6: "2001:db8::/62", domain: farm.example.org}
  rack: {prefix: 10.0.1.0/24}
os_profiles: {deb: {installer: manual, kernel: a, initrd: b}}
middleware: {m: {}}
service_hosts:
  Bibe: {address: 192.168.1.3, roles: [dns], os: deb, interfaces: {eth1: {address: 10.0.1.3}}}
  "007": {address: 192.168.1.70, address6: "2001:db8:0:3::7", middleware: m, aliases: [mail, Soa]}
  pub: {address: 203.0.113.129, roles: [dns]}
  single: {address: 192.168.1.200}
  stranger: {address: 172.16.1.1}
  node: {address: 10.0.1.4, os: deb, middleware: m}
"""


def zone_of(tree: Tree, name: str, folder: str = BIND, suffix: str = "") -> dns.zone.Zone:
    text = text_of(tree, f"{folder}/db.{name}{suffix}")
    return dns.zone.from_text(text, origin=name, relativize=False)


def data(zone: dns.zone.Zone, name: str, kind: str) -> list[str]:
    found = zone.get_rdataset(dns.name.from_text(name, zone.origin), kind)
    return sorted(each.to_text() for each in found or [])


def pointer(tree: Tree, address: str) -> list[str]:
    """The PTR records of an address in whatever zone of the first server has them."""
    name = dns.name.from_text(ip_address(address).reverse_pointer)
    return [
        target
        for path in tree.entries
        if path.endswith(".arpa") and path.startswith("bibe/")
        if name.is_subdomain(dns.name.from_text(path.rpartition("/db.")[2]))
        for target in data(zone_of(tree, path.rpartition("/db.")[2]), name.to_text(), "PTR")
    ]


@pytest.fixture
def odd(tmp_path: Path) -> Tree:
    return compiled(compile_zones, good_site(tmp_path, ODD))


def test_every_record_of_a_host(sns_pisa: Site) -> None:
    tree = compiled(compile_zones, sns_pisa)
    zone = zone_of(tree, "sns.it")
    assert data(zone, "wn01", "A") == ["192.168.2.1"]
    assert data(zone, "wn01", "AAAA") == ["fd00:5:2::1"]
    assert data(zone, "wn01", "HINFO") == ['"sl4-64" "ig_WN"']
    assert data(zone, "ganglia", "CNAME") == ["bibe.sns.it."]
    assert data(zone, "bibe-eth1", "A") == ["192.168.2.250"]
    assert data(zone, "@", "NS") == ["bibe.sns.it.", "bussolo.sns.it."]
    assert data(zone, "@", "MX") == ["10 lcg.sns.it."]
    assert data(zone, "@", "SOA") == [
        "bibe.sns.it. hostmaster.sns.it. 2026112300 86400 7200 3600000 3600"
    ]
    assert pointer(tree, "192.168.1.31") == ["gridce.sns.it."]
    assert pointer(tree, "192.168.2.250") == ["bibe-eth1.sns.it."]
    assert pointer(tree, "fd00:5:2::4") == ["wn04.sns.it."]


def test_a_missing_half_of_hinfo_is_the_empty_string(odd: Tree) -> None:
    zone = zone_of(odd, "example.org", "Bibe/etc/bind")
    assert data(zone, "Bibe", "HINFO") == ['"deb" ""']
    assert data(zone, "007", "HINFO") == ['"" "m"']
    assert data(zone, "single", "HINFO") == []


def test_records_stand_in_columns(sns_pisa: Site) -> None:
    text = text_of(compiled(compile_zones, sns_pisa), f"{BIND}/db.sns.it")
    assert "\nalfa01     A      192.168.1.11\nalfa01     HINFO  " in text
    assert "\nganglia    CNAME  bibe\ninstall    CNAME  bibe\nmail       CNAME  lcg\n" in text


def test_all_servers_have_the_same_zones(sns_pisa: Site) -> None:
    entries = compiled(compile_zones, sns_pisa).entries
    zones = {path: entry.content for path, entry in entries.items() if "/db." in path}
    assert len(zones) == 8
    for path, content in zones.items():
        assert zones[path.replace("bibe/", "bussolo/")] == content


def test_without_a_server_there_are_no_zones(tmp_path: Path) -> None:
    text = HEAD + "service_hosts: {a: {address: 192.168.1.2}, b: {roles: [dns]}}\n"
    assert compiled(compile_zones, good_site(tmp_path, text)).entries == {}


def test_names_and_mail(odd: Tree) -> None:
    zone = zone_of(odd, "example.org", "Bibe/etc/bind")
    assert data(zone, "@", "MX") == ["10 007.example.org.", "5 mx.other.org."]
    assert "first\\.last.other.net." in data(zone, "@", "SOA")[0]
    assert data(zone, "soa", "CNAME") == ["007.example.org."]
    assert data(zone, "node", "A") == ["10.0.1.4"]


def test_parts_of_a_24_have_zones_of_rfc_2317(odd: Tree) -> None:
    folder = "Bibe/etc/bind"
    part = zone_of(odd, "0-63.1.168.192.in-addr.arpa", folder)
    assert data(part, "3", "PTR") == ["Bibe.example.org."]
    whole = zone_of(odd, "1.168.192.in-addr.arpa", folder)
    assert data(whole, "3", "CNAME") == ["3.0-63.1.168.192.in-addr.arpa."]
    assert data(whole, "70", "CNAME") == ["70.64-95.1.168.192.in-addr.arpa."]
    assert data(whole, "200", "NS") == ["Bibe.example.org.", "pub.example.org."]
    single = zone_of(odd, "200.1.168.192.in-addr.arpa", folder)
    assert data(single, "@", "PTR") == ["single.example.org."]


def test_a_public_part_tells_what_its_provider_has_to_do(odd: Tree) -> None:
    assert "Bibe/etc/bind/db.113.0.203.in-addr.arpa" not in odd.entries
    text = text_of(odd, "Bibe/etc/bind/db.128-255.113.0.203.in-addr.arpa")
    assert ";   128-255 NS Bibe.example.org.\n" in text
    assert ";   $GENERATE 128-255 $ CNAME $.128-255\n" in text


def test_a_prefix_between_boundaries_is_split_and_shared(odd: Tree) -> None:
    text = text_of(odd, "Bibe/etc/bind/named.conf.local")
    zones = [line.split('"')[1] for line in text.splitlines() if line.startswith("zone")]
    assert zones == [
        "example.org",
        *(f"{octet}.0.10.in-addr.arpa" for octet in range(4)),
        "1.168.192.in-addr.arpa",
        "0-63.1.168.192.in-addr.arpa",
        "64-95.1.168.192.in-addr.arpa",
        "200.1.168.192.in-addr.arpa",
        "128-255.113.0.203.in-addr.arpa",
        *(f"{nibble}.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa" for nibble in range(4)),
    ]


def test_a_network_inside_another_shares_its_zone(tmp_path: Path) -> None:
    text = """
        site: nested
        domain: example.org
        networks:
          rack: {prefix: 10.0.1.0/24, prefix6: "2001:db8:0:1::/64"}
          part: {prefix: 10.0.1.0/26}
          campus: {prefix: 10.0.0.0/16, prefix6: "2001:db8::/48"}
        service_hosts:
          bibe: {address: 10.0.1.3, address6: "2001:db8:0:1::3", roles: [dns]}
        """
    tree = compiled(compile_zones, good_site(tmp_path, text))
    zones = [path.partition("/db.")[2] for path in tree.entries if path.endswith(".arpa")]
    assert zones == ["0.10.in-addr.arpa", "0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"]
    assert pointer(tree, "10.0.1.3") == pointer(tree, "2001:db8:0:1::3") == ["bibe.example.org."]


@pytest.mark.parametrize(
    ("prefix", "zones", "first"),
    [
        ("10.0.0.0/8", 1, "10.in-addr.arpa"),
        ("172.16.0.0/12", 16, "16.172.in-addr.arpa"),
        ("10.7.0.0/16", 1, "7.10.in-addr.arpa"),
        ("10.7.16.0/20", 16, "16.7.10.in-addr.arpa"),
        ("2001:db8::/32", 1, "8.b.d.0.1.0.0.2.ip6.arpa"),
        ("2001:db8::/47", 2, "0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"),
    ],
)
def test_the_zones_of_a_prefix(prefix: str, zones: int, first: str) -> None:
    tree = compiled(compile_zones, site_with(prefix, "192.0.2.1"))
    found = [path.partition("/db.")[2] for path in tree.entries if path.endswith(".arpa")]
    assert len(found) == zones
    assert found[0] == first


def site_with(prefix: str, address: str) -> Site:
    """A site of one network and one server."""
    key = "prefix6" if ":" in prefix else "prefix"
    network = Network.model_validate({key: prefix})
    host = {"name": "bibe", "roles": ["dns"], "address6" if ":" in address else "address": address}
    if ":" in address:
        host["address"] = "192.0.2.1"
    return Site(
        site="test",
        domain="example.org",
        networks={"lan": network},
        service_hosts={"bibe": ServiceHost.model_validate(host)},
    )


@st.composite
def prefix_and_address(draw: st.DrawFn) -> tuple[str, str]:
    address = draw(st.ip_addresses())
    length = draw(st.integers(1, address.max_prefixlen))
    return str(ip_network((address, length), strict=False)), str(address)


@settings(max_examples=40)
@given(prefix_and_address())
def test_every_address_inside_a_prefix_has_its_pointer(drawn: tuple[str, str]) -> None:
    prefix, address = drawn
    tree = compiled(compile_zones, site_with(prefix, address))
    length = int(prefix.partition("/")[2])
    if ":" in address or length <= 24 or length == 32:
        assert pointer(tree, address) == ["bibe.example.org."]
    else:
        path = next(path for path in tree.entries if re.search(r"/db\.\d+-", path))
        assert data(zone_of(tree, path.partition("/db.")[2]), address.rpartition(".")[2], "PTR")


def test_an_address_outside_all_networks_has_no_pointer(odd: Tree) -> None:
    assert not any("stranger" in text_of(odd, path) for path in odd.entries if ".arpa" in path)


MORE = (
    HEAD
    + """
dns:
  hinfo: none
  zones:
    example.org:
      ttl: 600
      records:
        - "_ldap._tcp SRV 0 0 389 bibe"
        - '@ TXT "v=spf1; -all" "second \\"string\\""'
        - "bibe 60 MX 5 other.net."
    1.168.192.in-addr.arpa: {records: ["7 PTR old.other.net."]}
    other.net: {records: ["@ A 192.0.2.1", "www 300 CNAME @"]}
os_profiles: {deb: {installer: manual, kernel: a, initrd: b}}
service_hosts:
  bibe: {address: 192.168.1.3, roles: [dns], os: deb}
  quiet: {address: 192.168.1.4, dns: forward}
  silent: {address: 192.168.1.5, dns: none, interfaces: {eth1: {address: 192.168.1.6}}}
"""
)


def test_records_word_by_word(tmp_path: Path) -> None:
    tree = compiled(compile_zones, good_site(tmp_path, MORE))
    own, other = zone_of(tree, "example.org"), zone_of(tree, "other.net")
    assert data(own, "_ldap._tcp", "SRV") == ["0 0 389 bibe.example.org."]
    assert data(own, "@", "TXT") == ['"v=spf1; -all" "second \\"string\\""']
    assert own.find_rdataset(dns.name.from_text("bibe", own.origin), "MX").ttl == 60
    assert own.find_rdataset(dns.name.from_text("bibe", own.origin), "A").ttl == 600
    assert data(own, "bibe", "HINFO") == []
    assert data(other, "www", "CNAME") == ["other.net."]
    assert data(other, "@", "NS") == ["bibe.example.org."]
    assert pointer(tree, "192.168.1.7") == ["old.other.net."]
    for checker in CHECKERS:
        assert list(staged(tmp_path / checker.program, tree, checker)) == []


def test_a_host_without_all_its_records(tmp_path: Path) -> None:
    tree = compiled(compile_zones, good_site(tmp_path, MORE))
    own = zone_of(tree, "example.org")
    assert [data(own, name, "A") for name in ("quiet", "silent")] == [["192.168.1.4"], []]
    assert data(own, "silent-eth1", "A") == ["192.168.1.6"]
    assert [pointer(tree, f"192.168.1.{last}") for last in (3, 4, 5)] == [
        ["bibe.example.org."],
        [],
        [],
    ]


@pytest.mark.parametrize(
    "record",
    [
        "@ SOA a. b. 1 2 3 4 5",
        "@ 60 SOA a. b. 1 2 3 4 5",
        "$TTL 60 x",
        "a A 192.0.2.1 ; and",
        "a TXT (",
        'a TXT "open',
        "a  A 192.0.2.1",
        "a A",
        "a A 192.0.2.1\nb A 192.0.2.2",
    ],
)
def test_what_is_no_record(tmp_path: Path, record: str) -> None:
    zones = f"dns: {{zones: {{example.org: {{records: [{json.dumps(record)}]}}}}}}\n"
    loaded = site_of(tmp_path, HEAD + zones)
    assert [each.rule for each in loaded.findings] == ["zone-record"]


def test_recursion_is_for_the_site_only(sns_pisa: Site) -> None:
    text = text_of(compiled(compile_zones, sns_pisa), f"{BIND}/named.conf.options")
    assert 'allow-recursion { "site"; };' in text
    assert "\n\t192.168.2.0/24; // farm\n\tfd00:5:2::/64; // farm\n};" in text
    assert "forwarders" not in text


def test_internal_hinfo(tmp_path: Path) -> None:
    site = good_site(tmp_path, ODD.replace("dns: {", "dns: {hinfo: internal, "))
    tree = compiled(compile_zones, site)
    outside = zone_of(tree, "example.org", "Bibe/etc/bind")
    inside = zone_of(tree, "example.org", "Bibe/etc/bind", ".internal")
    assert data(outside, "node", "HINFO") == []
    assert data(inside, "node", "HINFO") == ['"deb" "m"']
    assert data(outside, "node", "A") == data(inside, "node", "A")
    for checker in CHECKERS:
        assert list(staged(tmp_path / checker.program, tree, checker)) == []


def test_a_domain_called_like_a_file_of_debian(tmp_path: Path) -> None:
    text = (
        HEAD.replace("example.org", "Local")
        + "service_hosts:\n  bibe: {address: 192.168.1.2, roles: [dns]}\n"
    )
    tree = compiled(compile_zones, good_site(tmp_path, text))
    assert f"{BIND}/db.local" not in tree.entries
    assert f'zone "local" {{ type primary; file "/{BIND[5:]}/db.local.zone"; }};' in text_of(
        tree, f"{BIND}/named.conf.local"
    )


def serial_of(lock: Lock, text: str, folder: Path) -> int:
    lock.changes.clear()
    tree = compiled(compile_zones, good_site(folder, text), lock)
    soa = zone_of(tree, "example.org").get_rdataset("@", "SOA")
    assert soa is not None
    return int(soa[0].serial)


@pytest.mark.parametrize(
    ("change", "moves"),
    [
        (lambda text: text + "  b: {address: 192.168.1.9}\n", True),
        (lambda text: text.replace("1.2,", "1.3,"), True),
        (lambda text: text + "dns: {ttl: 60}\n", True),
        (lambda text: text + "dns: {hinfo: internal}\n", True),
        (lambda text: text + "description: other words\n", False),
        (lambda text: text.replace("  bibe", "  # a comment\n  bibe"), False),
        (lambda text: text.replace("service_hosts:", "dns: {serial: date}\nservice_hosts:"), False),
        (lambda text: text.replace("{address", "{mac: '02:00:00:00:00:01', address"), False),
    ],
)
def test_a_serial_moves_with_its_records(
    change: Callable[[str], str], moves: bool, tmp_path: Path
) -> None:
    text = HEAD + textwrap.dedent(
        """\
        os_profiles: {deb: {installer: manual, kernel: a, initrd: b}}
        service_hosts:
          bibe: {address: 192.168.1.2, roles: [dns], os: deb}
        """
    )
    lock = Lock(TODAY)
    assert serial_of(lock, text, tmp_path) == 1
    assert serial_of(Lock(date(2027, 1, 1), lock.data), text, tmp_path) == 1
    assert serial_of(lock, change(text), tmp_path) == 1 + moves
    assert any("zone example.org:" in each for each in lock.changes) == moves
    # Whatever it was, going back is a change too.
    assert serial_of(lock, text, tmp_path) == 1 + 2 * moves


def test_the_order_of_yaml_is_no_change(tmp_path: Path) -> None:
    text = f"{HEAD}service_hosts:\n  bibe: {{address: 192.168.1.2, roles: [dns]}}\n"
    lines = [
        f"  {name}: {{address: 192.168.1.{at}, roles: [dns]}}\n"
        for at, name in ((3, "a"), (4, "b"))
    ]
    lock = Lock(TODAY)
    assert serial_of(lock, text + "".join(lines), tmp_path) == 1
    assert serial_of(lock, text + "".join(lines[::-1]), tmp_path) == 1


@pytest.mark.parametrize("checker", CHECKERS, ids=lambda checker: checker.program)
@pytest.mark.parametrize("which", ["sns_pisa", "odd"])
def test_bind_takes_it(
    which: str, checker: Checker, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    made = request.getfixturevalue(which)
    tree = compiled(compile_zones, made) if isinstance(made, Site) else made
    assert list(staged(tmp_path, tree, checker)) == []


@pytest.mark.parametrize("checker", CHECKERS, ids=lambda checker: checker.program)
def test_the_checkers_point_at_the_line(sns_pisa: Site, checker: Checker, tmp_path: Path) -> None:
    tree = compiled(compile_zones, sns_pisa)
    path = f"{BIND}/db.sns.it"
    broken = tree.entries[path].content.replace(b"192.168.1.31", b"192.168.1.310")
    tree.entries[path] = tree.entries[path]._replace(content=broken)
    failure = next(staged(tmp_path, tree, checker))
    assert failure.path == path
    assert broken.decode().splitlines()[failure.line - 1] == "gridce     A      192.168.1.310"


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("named.conf.options", "notify no", "notfy no"),
        ("named.conf.local", "type primary", "type primry"),
        ("named.conf.local", "/db.sns.it", "/db.sns.at"),
        ("named.conf", "named.conf.local", "named.conf.lokal"),
    ],
)
def test_the_checker_of_named_conf(
    name: str, old: str, new: str, sns_pisa: Site, tmp_path: Path
) -> None:
    tree = compiled(compile_zones, sns_pisa)
    path = f"{BIND}/{name}"
    entry = tree.entries[path]
    tree.entries[path] = entry._replace(
        content=entry.content.replace(old.encode(), new.encode(), 1)
    )
    failures = list(staged(tmp_path, tree, CHECKERS[1]))
    assert failures
    assert all(failure.path.startswith(f"{BIND}/named.conf") for failure in failures)


@pytest.mark.parametrize("hinfo", ["public", "internal"])
def test_a_server_of_red_hat_has_its_files_where_its_named_looks(
    hinfo: str, tmp_path: Path
) -> None:
    profile = "deb: {installer: kickstart, repository: 'http://a/', kernel: a, initrd: b}"
    text = ODD.replace("deb: {installer: manual, kernel: a, initrd: b}", profile)
    tree = compiled(
        compile_zones, good_site(tmp_path, text.replace("dns: {", f"dns: {{hinfo: {hinfo}, "))
    )
    suffix = ".internal" if hinfo == "internal" else ""
    assert data(zone_of(tree, "example.org", "Bibe/var/named", suffix), "node", "HINFO")
    configuration = {path for path in tree.entries if path.startswith("Bibe/etc/")}
    assert configuration == {
        "Bibe/etc/named.conf",
        "Bibe/etc/named/named.conf.options",
        "Bibe/etc/named/named.conf.local",
    }
    assert "pub/etc/bind/named.conf" in tree.entries
    assert not any(b"/etc/bind" in tree.entries[path].content for path in configuration)
    for number, checker in enumerate(CHECKERS):
        assert list(staged(tmp_path / f"{number}", tree, checker)) == []
