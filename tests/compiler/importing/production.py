"""Files in the style of a production site: more than 1,000 hosts and 4,500 records, with the
comments, leftovers and oddities that such files have. The same seed gives the same files.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from threerc.compiler.importing.run import Sources

DOMAIN = "phys.example.edu"
_PXE = "install"
_LOCAL = "DEFAULT local\nLABEL local\n  LOCALBOOT 0\n"
_MENU = """\
default vesamenu.c32
prompt 0
timeout 100
ontimeout local
menu title PXE of the physics department
label local
  menu label Boot from ^local disk
  localboot 0
label rescue
  kernel rescue/vmlinuz
  append initrd=rescue/initrd.img rescue
"""
_INSTALL = """\
# written by hand, do not touch!
DEFAULT linux
LABEL linux
   KERNEL sl6-x86_64/vmlinuz
   APPEND initrd=sl6-x86_64/initrd.img ks=nfs:10.20.3.250:/ks/node.cfg ksdevice=eth0
"""


@dataclass
class Host:
    """A host as all files will know it."""

    name: str
    address: str
    mac: str
    address6: str = ""
    by_name: bool = False
    kind: str = "node"
    remark: str = ""


@dataclass
class Production:
    """The hosts of the site, and its files below a folder."""

    random: Random
    hosts: list[Host] = field(default_factory=list)

    def write(self, folder: Path) -> Sources:
        """Write all files."""
        self._nodes()
        self._servers()
        self._desks()
        folder.mkdir(parents=True)
        (folder / "dhcpd.conf").write_text(self._dhcpd(), encoding="utf-8")
        (folder / "farm.inc").write_bytes(self._farm_include().encode("latin-1"))
        (folder / "desks.inc").write_text(self._desks_include(), encoding="utf-8")
        zones = {
            DOMAIN: self._forward(),
            "lab.example.edu": self._lab(),
            "20.10.in-addr.arpa": self._reverse_farm(),
            "5.168.192.in-addr.arpa": self._reverse("5"),
            "7.168.192.in-addr.arpa": self._reverse("7"),
            "0.2.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa": self._reverse6(),
        }
        for name, text in zones.items():
            (folder / f"db.{name}").write_text(text, encoding="utf-8")
        (folder / "sshfp.inc").write_text(self._fingerprints(), encoding="utf-8")
        self._pxelinux(folder / "pxelinux.cfg")
        return Sources(
            dhcpd=[folder / "dhcpd.conf"],
            zones=[(name, folder / f"db.{name}") for name in zones],
            pxelinux=folder / "pxelinux.cfg",
        )

    def _mac(self, vendor: str) -> str:
        tail = [f"{self.random.randrange(256):02x}" for _ in range(3)]
        text = ":".join([vendor, *tail])
        return self.random.choice([text, text.upper(), text])

    def _nodes(self) -> None:
        base = 0x001E67_000100
        for number in range(1, 751):
            bits = number
            mac = base + number
            # The first four racks were bought at once, the rest one by one.
            text = ":".join(f"{mac:012x}"[at : at + 2] for at in range(0, 12, 2))
            self.hosts.append(
                Host(
                    f"node{number:03d}",
                    f"10.20.{bits >> 8}.{bits & 255}",
                    (text.upper() if number % 3 else text)
                    if number <= 240
                    else self._mac("00:25:90"),
                    f"2001:db8:0:20::{number:x}",
                    by_name=number % 2 == 0,
                )
            )

    def _servers(self) -> None:
        names = ["dns1", "dns2", "boot", *(f"srv{n:02d}" for n in range(1, 61))]
        for last, name in enumerate(names, 10):
            host = Host(name, f"192.168.5.{last}", self._mac("52:54:00"), kind="server")
            self.hosts.append(host)

    def _desks(self) -> None:
        people = [
            "rossi",
            "bianchi",
            "verdi",
            "neri",
            "russo",
            "ferrari",
            "gallo",
            "conti",
            "greco",
            "marino",
        ]
        taken: set[str] = set()
        for last in range(2, 180):
            name = f"pc-{self.random.choice(people)}{self.random.randrange(1000)}"
            if name not in taken:
                taken.add(name)
                host = Host(name, f"192.168.7.{last}", self._mac("00:16:3E"), kind="desk")
                host.remark = f"stanza {self.random.randrange(400)}"
                self.hosts.append(host)
        for last in range(180, 200):
            host = Host(f"printer{last}", f"192.168.7.{last}", self._mac("00:00:AA"), kind="desk")
            self.hosts.append(host)

    def of(self, kind: str) -> list[Host]:
        """The hosts of a kind."""
        return [host for host in self.hosts if host.kind == kind]

    def _dhcpd(self) -> str:
        servers = "".join(
            f"  host {h.name} {{\n\thardware ethernet {h.mac} ;\n\tfixed-address {h.address};\n}}\n"
            for h in self.of("server")
        )
        return f"""\
# dhcpd.conf - physics
#   last change: see CVS $Id: dhcpd.conf,v 1.247 2009/03/02 10:11:12 root Exp $
authoritative;   # yes, really
ddns-update-style none;
log-facility local7;
default-lease-time 21600; max-lease-time 21600;
option domain-name "{DOMAIN}";
option domain-name-servers 192.168.5.10, 192.168.5.11;
option ntp-servers dns1.{DOMAIN};
option site-code code 150 = text;
use-host-decl-names on;

shared-network cluster {{
  # farm
  subnet 10.20.0.0 netmask 255.255.252.0
  {{
    option routers 10.20.3.254;
    option broadcast-address 10.20.3.255;
    option subnet-mask 255.255.252.0;
    next-server 10.20.3.250;
    filename "pxelinux.0";
  }}
}}

# servers
subnet 192.168.5.0 netmask 255.255.255.0 {{
  option routers 192.168.5.254;
  option time-offset 3600;
{servers}}}

subnet 192.168.7.0 netmask 255.255.255.0 {{ # desks
  option routers 192.168.7.254;
  default-lease-time 3600; max-lease-time 7200;
  pool {{ range 192.168.7.200 192.168.7.229; range 192.168.7.230 192.168.7.250; }}
}}

include "/etc/dhcp/farm.inc";
include "/etc/dhcp/desks.inc";
"""

    def _farm_include(self) -> str:
        lines = ["# le macchine della farm: più di 700\n", 'group {\n  option site-code "farm";\n']
        lines += [
            f"  host {host.name} {{ hardware ethernet {host.mac}; fixed-address "
            f"{f'{host.name}.{DOMAIN}' if host.by_name else host.address}; }}\n"
            for host in self.of("node")
        ]
        return "".join([*lines, "}\n"])

    def _desks_include(self) -> str:
        lines = ["group { # people\n  group {\n    option log-servers 192.168.5.20;\n"]
        lines += [
            f"    host {host.name}.{DOMAIN} {{ hardware ethernet {host.mac}; "
            f'fixed-address {host.address}; option host-name "{host.name}"; }}'
            + (f" # {host.remark}\n" if host.remark else "\n")
            for host in self.of("desk")
        ]
        return "".join([*lines, "  }\n}\n"])

    def _head(self, ttl: str = "1d") -> str:
        return f"""\
; generated from a template, the serial is filled in
$TTL {ttl}
@\tIN SOA dns1.{DOMAIN}. hostmaster.{DOMAIN}. (
\t\t{{{{ serial }}}} ; serial
\t\t3h ; refresh
\t\t15m 1w 1h )
\t\tIN NS dns1.{DOMAIN}.
\t\tIN NS dns2.{DOMAIN}.
"""

    def _forward(self) -> str:
        lines = [self._head()]
        lines.append("\t\tMX 10 srv01\n\t\tMX 20 mail.example.com.\n")
        lines.append('\t\tTXT "v=spf1 mx include:example.com; -all"\n')
        for host in self.hosts:
            comment = f"\t; {host.remark}" if host.remark else ""
            name = host.name.upper() if host.name.startswith("printer") else host.name
            lines.append(f"{name}\tIN\tA\t{host.address}{comment}\n")
            if host.address6:
                lines.append(f"\t\tAAAA\t{host.address6}\n")
        for number, host in enumerate(self.of("server")[3:], 1):
            lines += [f"www{number}\tCNAME {host.name}\n", f"ftp{number} 3600 CNAME {host.name}\n"]
        for number in range(1, 101):
            lines.append(f"n{number}\tIN CNAME node{number:03d}.{DOMAIN}.\n")
        lines.append("\n; the load balancer, several addresses\n")
        lines += [f"portal\t300\tA\t192.168.5.{last}\n" for last in (20, 21, 22)]
        lines.append("$ORIGIN _tcp\n_ldap SRV 0 0 389 srv02.phys.example.edu.\n")
        lines.append(f"_kerberos SRV 0 100 88 srv03.{DOMAIN}.\n$ORIGIN {DOMAIN}.\n")
        lines.append('dkim._domainkey TXT ( "v=DKIM1; k=rsa; p=' + "MIGf" * 40 + '"\n')
        lines.append('   "' + "AAAA" * 20 + '" ) ; two strings\n')
        lines.append("$GENERATE 200-250 dyn-$ A 192.168.7.$\n")
        lines.append("gw\tA\t10.20.3.254\ngw-servers A 192.168.5.254\n")
        lines.append("boot-farm\tA\t10.20.3.250\n")
        lines.append("*.apps\tCNAME\tsrv04\nexternal CNAME www.example.com.\n")
        lines.append("remote\tA\t203.0.113.7 ; not ours\n$INCLUDE /var/named/sshfp.inc\n")
        lines.append("lab\tNS\tdns1\nlab\tNS\tdns2\n")
        return "".join(lines)

    def _fingerprints(self) -> str:
        lines = []
        for host in self.hosts:
            digits = "".join(self.random.choice("0123456789abcdef") for _ in range(40))
            lines.append(f"{host.name} SSHFP 1 1 {digits}\n")
        return "".join(lines)

    def _lab(self) -> str:
        lines = [self._head("12h"), "@ A 192.168.5.30\nwww A 192.168.5.30\n"]
        lines += [f"node{n:03d} A 172.16.{n >> 8}.{n & 255}\n" for n in range(1, 301)]
        lines.append("printer180 CNAME printer180.phys.example.edu.\n")
        return "".join(lines)

    def _reverse_farm(self) -> str:
        lines = [self._head()]
        third = ""
        for host in self.of("node"):
            _, _, high, low = host.address.split(".")
            if high != third:
                third = high
                lines.append(f"$ORIGIN {high}.20.10.in-addr.arpa.\n")
            lines.append(f"{low}\tPTR\t{host.name}.{DOMAIN}.\n")
        lines.append(f"$ORIGIN 20.10.in-addr.arpa.\n254.3 PTR gw.{DOMAIN}.\n")
        lines.append(f"250.3 PTR boot-farm.{DOMAIN}.\n")
        lines.append("7.200 PTR decommissioned.example.edu. ; no such host any more\n")
        return "".join(lines)

    def _reverse(self, third: str) -> str:
        lines = [self._head()]
        lines += [
            f"{host.address.rpartition('.')[2]} IN PTR {host.name}.{DOMAIN}.\n"
            for host in self.hosts
            if host.address.startswith(f"192.168.{third}.")
        ]
        if third == "7":
            lines.append(f"$GENERATE 200-250 $ PTR dyn-$.{DOMAIN}.\n")
        else:
            lines.append(f"20 PTR portal.{DOMAIN}.\n254 PTR gw-servers.{DOMAIN}.\n")
        return "".join(lines)

    def _reverse6(self) -> str:
        lines = [self._head()]
        for host in self.of("node"):
            digits = f"{int(host.address6.rpartition(':')[2], 16):016x}"
            lines.append(f"{'.'.join(digits[::-1])} PTR {host.name}.{DOMAIN}.\n")
        return "".join(lines)

    def _pxelinux(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "default").write_text(_MENU, encoding="utf-8")
        (folder / "local").write_text(_LOCAL, encoding="utf-8")
        (folder / _PXE).write_text(_INSTALL, encoding="utf-8")
        (folder / "C0A805").symlink_to("local")
        for number, host in enumerate(self.of("node")):
            link = "".join(f"{int(part):02X}" for part in host.address.split("."))
            if number % 100 < 20:
                (folder / link).symlink_to(_PXE)
            elif number % 100 < 40:
                mac = host.mac.lower().replace(":", "-")
                (folder / f"01-{mac}").write_text(_INSTALL, encoding="utf-8")
            else:
                (folder / link).symlink_to("local")
