"""What real files have besides: it is expressed, or told with its line, and never dropped."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.importing.trees import imported, told, written
from tests.compiler.support import TODAY
from threerc.compiler.build import check
from threerc.compiler.findings import ThreeRcError
from threerc.compiler.importing import run
from threerc.compiler.importing.facts import IPXE, LOADERS
from threerc.compiler.importing.networks import NEW_AUTHORITY
from threerc.compiler.importing.run import Sources
from threerc.compiler.importing.verifying import lines

SUBNET = """\
authoritative;
option domain-name "example.org";
subnet 192.168.1.0 netmask 255.255.255.0 {
  option routers 192.168.1.254;
  filename "pxelinux.0"; next-server 192.168.1.1;
}
host srv { hardware ethernet 52:54:00:00:00:01; fixed-address 192.168.1.1; }
"""
ZONE = """\
$TTL 86400
@ SOA srv hostmaster ( {{ serial }} 1h 1h 1w 1h )
  NS srv
srv A 192.168.1.1
"""
REVERSE = """\
$TTL 86400
@ SOA srv.example.org. hostmaster.example.org. 1 1h 1h 1w 1h
  NS srv.example.org.
1 PTR srv.example.org.
"""


def sources(folder: Path, dhcpd: str = "", zone: str = "", reverse: str = "") -> Sources:
    paths = written(
        folder, dhcpd__conf=SUBNET + dhcpd, forward=ZONE + zone, reverse=REVERSE + reverse
    )
    zones = [("example.org", paths["forward"]), ("1.168.192.in-addr.arpa", paths["reverse"])]
    return Sources(dhcpd=[paths["dhcpd__conf"]], zones=zones)


DHCPD = """\
class "phones" {
  match if substring(option vendor-class-identifier, 0, 4) = "Cisc";
}
key omapi { algorithm hmac-md5; secret "bm90IGZvciBldmVyeWJvZHk="; }
{% for host in hosts %}
host dup1 { hardware ethernet 00:00:00:00:01:00; fixed-address 192.168.1.20; }
host dup2 { hardware ethernet 00:00:00:00:01:00; fixed-address 192.168.1.21; }
host dup3 { hardware ethernet 00:00:00:00:02:00; fixed-address 192.168.1.20; }
host roaming { hardware ethernet 00:00:00:00:03:00; }
host far { hardware ethernet 00:00:00:00:04:00; fixed-address 172.16.0.1; }
host nowhere { hardware ethernet 00:00:00:00:05:00; fixed-address unknown.example.org; }
include "/etc/dhcp/gone.conf";
subnet 192.168.1.128 netmask 255.255.255.128 { }
host both { hardware ethernet 00:00:00:00:06:00; fixed-address 192.168.1.130, 192.168.1.131; }
"""


def test_what_dhcpd_has_and_a_site_has_not(tmp_path: Path) -> None:
    facts, site, compared = imported(sources(tmp_path, DHCPD), tmp_path / "site")
    line = len(SUBNET.splitlines())
    assert sorted(told(facts)) == sorted(
        f"dhcpd.conf:{line + number}: {reason}"
        for number, reason in (
            (1, "site.yaml has nothing for `class` of dhcpd.conf"),
            (4, "site.yaml has nothing for `key` of dhcpd.conf"),
            (5, "templating is left in the file"),
            (7, "00:00:00:00:01:00 is also that of dup1, at 192.168.1.20"),
            (8, "192.168.1.20 is also that of dup1, whose MAC is 00:00:00:00:01:00"),
            (9, "a host of site.yaml has a fixed address"),
            (10, "the fixed address of far lies in no subnet: the host is left out"),
            (11, "the fixed address of nowhere is not known: the host is left out"),
            (12, "the included file is not beside this one"),
            (14, "an interface of site.yaml has one address: 192.168.1.131 is left out"),
            (13, "192.168.1.128/25 overlaps 192.168.1.0/24"),
            (-4, "no file says which host is the DHCP server: srv has the role"),
        )
    )
    text = site.read_text(encoding="utf-8")
    assert '#       match if substring(option vendor-class-identifier, 0, 4) = "Cisc";\n' in text
    assert "bm90" not in text
    places = [each.place.line - line for each in compared.differences if each.place]
    assert places == [7, 8, 10, 11, 14]


def test_pools_and_hosts_inside_them(tmp_path: Path) -> None:
    dhcpd = """\
subnet 10.0.0.0 netmask 255.255.255.0 {
  range 10.0.0.10 10.0.0.19;
  pool { allow unknown-clients; range 10.0.0.20 10.0.0.50; }
  range 10.0.0.100 10.0.0.110;
  host inside { hardware ethernet 02:00:00:00:00:01; fixed-address 10.0.0.40; }
}
"""
    facts, site, compared = imported(sources(tmp_path, dhcpd), tmp_path / "site")
    assert str(check(site).site.networks["net-10-0-0-0"].pool) == "10.0.0.10-10.0.0.39"
    assert [each.partition(": ")[2] for each in told(facts)][:3] == [
        "a pool of site.yaml has no settings of its own",
        "a network of site.yaml has one pool",
        "1 host address inside the pool: it was made smaller",
    ]
    assert sorted(each.what for each in compared.differences if "pool" in each.what) == [
        "the pool 10.0.0.10-10.0.0.39 is new",
        "the pool 10.0.0.10-10.0.0.50 is gone, or not the same",
        "the pool 10.0.0.100-10.0.0.110 is gone, or not the same",
    ]


def test_names(tmp_path: Path) -> None:
    """Names that site.yaml does not take, names of other domains, one name for two things."""
    dhcpd = """\
use-host-decl-names on;
host under_score { hardware ethernet 00:00:00:00:01:00; fixed-address 192.168.1.20; }
host a.other.net { hardware ethernet 00:00:00:00:02:00; fixed-address 192.168.1.21; }
host 42 { hardware ethernet 00:00:00:00:03:00; fixed-address 192.168.1.22; }
"""
    zone = "A A 192.168.1.30\n"
    facts, site, compared = imported(
        sources(tmp_path, dhcpd, zone, "30 PTR a.example.org.\n"), tmp_path / "site"
    )
    hosts = check(site).site.hosts
    assert {"under-score", "a", "host-42"} <= set(hosts)
    assert hosts["a"].dns == "none"  # it is not the one that DNS calls so
    renamed = [each for each in told(facts) if "is called" in each]
    assert len(renamed) == 2
    assert sorted(each.what for each in compared.differences) == [
        "00:00:00:00:01:00 is called under-score instead of under_score",
        "00:00:00:00:03:00 is called host-42 instead of 42",
    ]


def test_records_that_hosts_do_not_give(tmp_path: Path) -> None:
    dhcpd = "host quiet { hardware ethernet 00:00:00:00:01:00; fixed-address 192.168.1.20; }\n"
    zone = """\
web  A 192.168.1.30
     AAAA 2001:db8::30
www  CNAME web
many A 192.168.1.40
     A 192.168.1.41
no-pointer A 192.168.1.42
short 60 A 192.168.1.43
*    CNAME web
srv  TXT "semi;colon" "quo\\"te"
     HINFO "PC" "Linux 2.6"
_x._tcp 600 SRV 1 2 3 web
@    CAA 0 issue "ca.example.net"
ns.sub A 192.168.1.50
sub  NS ns.sub
"""
    reverse = """\
30 PTR web.example.org.
31 PTR gone.example.net.
40 PTR many.example.org.
   PTR other.example.org.
43 PTR short.example.org.
"""
    _, site, compared = imported(sources(tmp_path, dhcpd, zone, reverse), tmp_path / "site")
    assert compared.differences == []
    built = check(site).site
    assert built.hosts["quiet"].dns == "none"
    assert built.hosts["web"].aliases == ("www",)
    assert str(built.hosts["web"].address6) == "2001:db8::30"
    assert sorted(built.dns.zones["example.org"].records) == sorted(
        (
            '@ CAA 0 issue "ca.example.net"',
            "* CNAME web",
            "many A 192.168.1.40",
            "many A 192.168.1.41",
            "no-pointer A 192.168.1.42",
            "short 60 A 192.168.1.43",
            'srv HINFO "PC" "Linux 2.6"',
            'srv TXT "semi;colon" "quo\\"te"',
            "sub NS ns.sub",
            "ns.sub A 192.168.1.50",
            "_x._tcp 600 SRV 1 2 3 web",
        )
    )


def test_lines_that_are_no_records(tmp_path: Path) -> None:
    zone = """\
good A 192.168.1.30
bad A 192.168.1.300
{{ extra_records }}
far.example.net. A 192.0.2.1
$INCLUDE gone.inc
after A 192.168.1.31
"""
    facts, site, _ = imported(
        sources(tmp_path, "", zone, "30 PTR good.example.org.\n31 PTR after.example.org.\n"),
        tmp_path / "site",
    )
    assert {"good", "after"} <= set(check(site).site.hosts)
    line = len(ZONE.splitlines())
    lost = [each for each in told(facts) if each.startswith("forward:")]
    assert [int(each.split(":")[1]) - line for each in lost] == [2, 3, 4, 5]


def test_parts_of_a_24(tmp_path: Path) -> None:
    """The same pointers, whether in one zone, or by the CNAMEs of RFC 2317 that 3RC writes."""
    dhcpd = """\
subnet 10.1.1.64 netmask 255.255.255.192 { }
host small { hardware ethernet 02:00:00:00:00:01; fixed-address 10.1.1.70; }
"""
    paths = written(
        tmp_path,
        part=REVERSE.replace("1 PTR srv", "70 PTR small") + "71 PTR old.example.net.\n",
    )
    found = sources(tmp_path, dhcpd, "small A 10.1.1.70\n")
    zones = [*found.zones, ("1.1.10.in-addr.arpa", paths["part"])]
    _, site, compared = imported(Sources(dhcpd=found.dhcpd, zones=zones), tmp_path / "site")
    assert compared.differences == []
    zone = check(site).site.dns.zones["64-127.1.1.10.in-addr.arpa"]
    assert zone.records == ("71 PTR old.example.net.",)


def test_options_are_inherited(tmp_path: Path) -> None:
    """From groups within groups, whichever subnet the host is in; the nearest wins."""
    dhcpd = """\
group {
  option root-path "/a"; filename "pxelinux.0";
  group {
    option root-path "/b";
    host one { hardware ethernet 00:00:00:00:01:00; fixed-address 192.168.1.20; }
    host two {
      hardware ethernet 00:00:00:00:02:00; fixed-address 192.168.1.21;
      option root-path "/c"; server-name "x";
    }
  }
  host three { hardware ethernet 00:00:00:00:03:00; fixed-address 192.168.1.22; }
}
"""
    _, site, compared = imported(sources(tmp_path, dhcpd), tmp_path / "site")
    assert compared.differences == []
    hosts = check(site).site.hosts
    assert [hosts[name].dhcp for name in ("one", "two", "three")] == [
        ('option root-path "/b"',),
        ('option root-path "/c"', 'server-name "x"'),
        ('option root-path "/a"',),
    ]


def test_name_servers(tmp_path: Path) -> None:
    """All of them serve all zones; a TTL of their own they have not."""
    reverse = "  60 NS ns2.example.org.\n2 PTR ns2.example.org.\n"
    zone = "ns2 A 192.168.1.2\n@ NS ns.example.net.\n@ NS hidden\nhidden A 192.168.1.3\n"
    facts, site, compared = imported(sources(tmp_path, "", zone, reverse), tmp_path / "site")
    found = check(site).site
    assert [host.name for host in found.with_role("dns")] == ["srv", "hidden"]
    assert found.hosts["hidden"].dns == "forward"
    assert "@ NS ns.example.net." in found.dns.zones["example.org"].records
    assert "reverse:1: hidden.example.org. is a name server of 1.168.192.in-addr.arpa now" in told(
        facts
    )
    assert {each.what for each in compared.differences} == {
        "1.168.192.in-addr.arpa. NS hidden.example.org. is new"
    }


def test_two_machines_with_one_name_and_a_next_server_that_nobody_says(tmp_path: Path) -> None:
    paths = written(
        tmp_path,
        dhcpd__conf="""\
        authoritative; option domain-name "example.org";
        use-host-decl-names on;
        subnet 10.0.0.0 netmask 255.255.255.0 { }
        host a.x { hardware ethernet 02:00:00:00:00:01; fixed-address 10.0.0.1; }
        host a.y { hardware ethernet 02:00:00:00:00:02; fixed-address 10.0.0.2;
          filename "pxelinux.0"; }
        """,
    )
    sources = Sources(dhcpd=[paths["dhcpd__conf"]])
    facts, site, compared = imported(sources, tmp_path / "site")
    assert [each.what for each in compared.differences] == [
        "02:00:00:00:00:02 is called a-2 instead of a.y"
    ]
    assert check(site).site.hosts["a"].roles == ("dhcp", "tftp")
    assert told(facts) == [
        "dhcpd.conf:5: a.y is called a-2: its name is taken, or is none",
        "dhcpd.conf:3: no file says which host is the DHCP server: a has the role",
        "dhcpd.conf:3: all hosts of net-10-0-0-0 are told the boot file now, not some",
    ]


def test_zones_alone(tmp_path: Path) -> None:
    """Networks are found by the pointers, and a site without any is told."""
    found = sources(tmp_path, "", "a A 192.168.1.7\n", "7 PTR a.example.org.\n")
    _, site, compared = imported(Sources(zones=found.zones), tmp_path / "site")
    assert compared.differences == []
    assert str(check(site).site.networks["net-192-168-1-0"].prefix) == "192.168.1.0/24"
    public = written(tmp_path, public=ZONE.replace("192.168.1.1", "131.114.1.7"))["public"]
    facts = run.read(Sources(zones=[("example.org", public)]))
    assert "lan: {}" in run.write(facts)
    assert "no file names a network: give `lan` in site.yaml its prefix" in {
        each.reason for each in facts.lost
    }


def test_the_files_of_a_failover_pair(tmp_path: Path) -> None:
    """Both say the same of networks and hosts, and each which of the two it is."""
    text = """\
option site-code code 150 = text; authoritative;
failover peer "site" {{
  {0}; address {1}; port 647; peer address {2}; peer port 647;
  max-response-delay 60; max-unacked-updates 10; load balance max seconds 3; {3}
}}
subnet 10.0.0.0 netmask 255.255.255.0 {{
  option domain-name "example.org";
  pool {{ failover peer "site"; deny known-clients; range 10.0.0.100 10.0.0.120; }}
}}
host a {{ hardware ethernet 02:00:00:00:00:01; fixed-address 10.0.0.1; }}
host b {{ hardware ethernet 02:00:00:00:00:02; fixed-address 10.0.0.2; }}
"""
    paths = written(
        tmp_path,
        second=text.format("secondary", "10.0.0.2", "10.0.0.1", ""),
        first=text.format("primary", "10.0.0.1", "10.0.0.2", "mclt 3600; split 128;"),
    )
    sources = Sources(dhcpd=[paths["second"], paths["first"]])
    facts, site, compared = imported(sources, tmp_path / "site")
    assert compared.differences == []
    assert told(facts) == []
    assert [host.name for host in check(site).site.with_role("dhcp")] == ["a", "b"]


def test_a_name_that_becomes_another_is_told(tmp_path: Path) -> None:
    """Also where DHCP tells nobody the name; not where the host has its name from DNS."""
    dhcpd = """\
host under_score { hardware ethernet 00:00:00:00:01:00; fixed-address 192.168.1.20; }
host in_dns { hardware ethernet 00:00:00:00:02:00; fixed-address 192.168.1.21; }
"""
    found = sources(tmp_path, dhcpd, "in-dns A 192.168.1.21\n", "21 PTR in-dns.example.org.\n")
    facts = run.read(found)
    assert "  under-score:" in run.write(facts)
    place = f"dhcpd.conf:{len(SUBNET.splitlines()) + 1}"
    said = f"{place}: under_score is called under-score: its name is taken, or is none"
    assert said in told(facts)
    assert not any("in_dns" in each or "in-dns" in each for each in told(facts))


def test_what_the_compiled_server_says_besides(tmp_path: Path) -> None:
    """A file that says little: what is new is told, the more so that it is authoritative."""
    text = """\
subnet 10.5.0.0 netmask 255.255.255.0 { option routers 10.5.0.254; }
host a { hardware ethernet 02:00:00:00:00:01; fixed-address 10.5.0.1; }
host b { hardware ethernet 02:00:00:00:00:02; fixed-address 10.5.0.2; }
"""
    plain = written(tmp_path, dhcpd__conf=text)["dhcpd__conf"]
    facts, _, compared = imported(Sources(dhcpd=[plain]), tmp_path / "site")
    assert f"dhcpd.conf:1: {NEW_AUTHORITY}" in told(facts)
    assert list(lines(compared, 0))[-7:] == [
        f"new: {NEW_AUTHORITY}",
        "new: 2 hosts are told `max-lease-time 43200`",
        "new: 2 hosts are told `option broadcast-address 10.5.0.255`",
        'new: 2 hosts are told `option domain-name "site.invalid"`',
        "new: 2 hosts are told a name (`use-host-decl-names on`)",
        f"new: all machines are told {IPXE}",
        "no differences but what is new, listed above",
    ]


def test_what_a_network_without_hosts_tells_is_compared(tmp_path: Path) -> None:
    """Machines of a pool, which no host entry knows."""
    text = """\
authoritative;
option ipxe.no-pxedhcp 1;
subnet 10.5.0.0 netmask 255.255.255.0 {
  option routers 10.5.0.254; option time-offset 3600; range 10.5.0.10 10.5.0.20;
  next-server 10.5.0.2; filename "pxelinux.0";
}
"""
    plain = written(tmp_path, dhcpd__conf=text)["dhcpd__conf"]
    facts, site, compared = imported(Sources(dhcpd=[plain]), tmp_path / "site")
    assert compared.same == {("pool", ""): 1, ("pool", "in all settings"): 1}
    assert compared.own == [LOADERS]
    assert "new: machines of 1 pool are told `max-lease-time 43200`" in lines(compared, 0)
    said = site.read_text(encoding="utf-8")
    site.write_text(said.replace("time-offset 3600", "time-offset 60"), encoding="utf-8")
    (change,) = run.verify(facts, site, TODAY).differences
    assert change.what == (
        "a machine of the pool 10.5.0.10-10.5.0.20 is told `option time-offset 60` "
        "instead of `3600`"
    )
    assert change.place is not None
    assert change.place.line == 4


def test_statements_that_no_host_takes_are_told(tmp_path: Path) -> None:
    """The compiled dhcpd.conf would be refused by dhcpd, or do what nobody asked for."""
    text = """\
class "phones" { match hardware; }
subclass "phones" 1:02:00:00:00:00:09;
log(info, "hello");
execute("/bin/true", "a");
subnet 192.168.1.0 netmask 255.255.255.0 {
  option routers 192.168.1.254;
  group {
    authoritative; host a { hardware ethernet 02:00:00:00:00:01; fixed-address 192.168.1.1; }
  }
}
"""
    plain = written(tmp_path, dhcpd__conf=text)["dhcpd__conf"]
    facts, _, compared = imported(Sources(dhcpd=[plain]), tmp_path / "site")
    assert compared.differences == []
    assert {
        "dhcpd.conf:1: site.yaml has nothing for `class` of dhcpd.conf",
        "dhcpd.conf:2: site.yaml has nothing for `subclass` of dhcpd.conf",
        "dhcpd.conf:3: site.yaml has nothing for `log` of dhcpd.conf",
        "dhcpd.conf:4: site.yaml has nothing for `execute` of dhcpd.conf",
        "dhcpd.conf:8: a server or a network is authoritative, no group of hosts",
    } <= set(told(facts))


def test_a_server_that_is_not_authoritative_can_stay_so(tmp_path: Path) -> None:
    text = "not authoritative;\n" + SUBNET.partition("\n")[2]
    plain = written(tmp_path, dhcpd__conf=text)["dhcpd__conf"]
    facts, site, compared = imported(Sources(dhcpd=[plain]), tmp_path / "site")
    assert check(site).site.dhcp.statements == ("not authoritative",)
    assert not any("authoritative" in each for each in [*told(facts), *lines(compared, 0)])


def test_where_no_host_can_be_the_dhcp_server_that_is_told(tmp_path: Path) -> None:
    text = "authoritative; subnet 10.5.0.0 netmask 255.255.255.0 { range 10.5.0.10 10.5.0.20; }\n"
    plain = written(tmp_path, dhcpd__conf=text)["dhcpd__conf"]
    facts, _, compared = imported(Sources(dhcpd=[plain]), tmp_path / "site")
    said = "no file names a host that could be the DHCP server: give one the role `dhcp`"
    assert f"dhcpd.conf:1: {said}" in told(facts)
    assert len(compared.differences) == 1


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ("$ORIGIN 0.10.in-addr.arpa.\n", "its $ORIGIN says 0.10.in-addr.arpa."),
        ("", "its first is of 1.0.10.in-addr.arpa."),
    ],
)
def test_a_file_of_another_zone_is_refused(records: str, why: str, tmp_path: Path) -> None:
    """Or nothing of it would be compared, and so no difference found."""
    owner = "1" if records else "1.0.10.in-addr.arpa."
    text = records + f"$TTL 86400\n{owner} PTR srv.example.org.\n"
    path = written(tmp_path, reverse=text)["reverse"]
    with pytest.raises(ThreeRcError) as caught:
        run.read(Sources(zones=[("1.168.192.in-addr.arpa", path)]))
    said = f"{path}:1:1: no record of the file is in the zone 1.168.192.in-addr.arpa: {why}"
    assert str(caught.value) == said
