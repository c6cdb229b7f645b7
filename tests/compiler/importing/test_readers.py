"""Each format beyond dhcpd.conf and zones, end to end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.importing.trees import imported, told, written
from tests.compiler.support import TODAY
from threerc.compiler.build import check
from threerc.compiler.findings import ThreeRcError
from threerc.compiler.importing import run
from threerc.compiler.importing.facts import Boot, Facts
from threerc.compiler.importing.readers import libvirt, pxelinux
from threerc.compiler.importing.readers.text import mac_of
from threerc.compiler.importing.run import Sources

KEA = """\
// Kea of the lab
{ "Dhcp4": {
  "interfaces-config": { "interfaces": [ "eth0" ] }, # all of them
  "valid-lifetime": 7200,
  "option-data": [
    { "name": "domain-name", "data": "example.org" },
    { "name": "domain-name-servers", "data": "192.0.2.1, 192.0.2.2" },
  ],
  "client-classes": [ { "name": "phones", "test": "true" } ],
  "shared-networks": [ { "name": "lab", "subnet4": [ {
    "id": 1, "subnet": "10.0.0.0/24", "next-server": "10.0.0.2", "boot-file-name": "pxelinux.0",
    "pools": [ { "pool": "10.0.0.200 - 10.0.0.220" } ],
    "option-data": [ { "name": "routers", "data": "10.0.0.1" } ],
    "reservations": [
      { "hw-address": "02:AA:00:00:00:02", "ip-address": "10.0.0.2", "hostname": "boot" },
      /* bought later */
      { "hw-address": "02:aa:00:00:00:03", "ip-address": "10.0.0.3", "hostname": "n1.example.org",
        "option-data": [ { "name": "root-path", "data": "/srv" } ] },
      { "duid": "01:02", "ip-address": "10.0.0.4" },
    ],
  } ] } ],
} }
"""


def test_kea(tmp_path: Path) -> None:
    path = written(tmp_path, kea__json=KEA)["kea__json"]
    facts, site, compared = imported(Sources(kea=[path]), tmp_path / "site")
    assert compared.differences == []
    built = check(site).site
    lab = built.networks["lab"]
    assert (str(lab.gateway), str(lab.pool), lab.lease) == (
        "10.0.0.1",
        "10.0.0.200-10.0.0.220",
        7200,
    )
    assert built.hosts["n1"].dhcp == ('option root-path "/srv"',)
    assert built.hosts["boot"].roles == ("tftp", "dhcp")
    assert told(facts)[:3] == [
        "kea.json:3: site.yaml has nothing for `interfaces-config`",
        "kea.json:9: site.yaml has nothing for `client-classes`",
        "kea.json:19: a host of site.yaml has a MAC and a fixed address",
    ]


def test_hosts_and_ethers(tmp_path: Path) -> None:
    paths = written(
        tmp_path,
        hosts="""\
        127.0.0.1 localhost
        ::1 localhost ip6-localhost
        192.168.1.1\tgate.example.org gate  # the router
        192.168.1.5 a.example.org a www
        192.168.1.6 b.example.org b
        192.168.1.6.7 broken
        2001:db8::5 a.example.org
        """,
        ethers="""\
        0:16:3E:0:0:5 a
        00-16-3e-00-00-06 192.168.1.6
        00:16:3e:00:00:07 unknown
        """,
    )
    sources = Sources(hosts=paths["hosts"], ethers=paths["ethers"])
    facts, site, compared = imported(sources, tmp_path / "site")
    assert [each.what for each in compared.differences] == [
        "00:16:3e:00:00:07 is not known to be that of unknown"
    ]
    assert compared.same["line", "of hosts and ethers"] == 6
    hosts = check(site).site.hosts
    assert (hosts["a"].mac, str(hosts["a"].address6)) == ("00:16:3e:00:00:05", "2001:db8::5")
    assert hosts["b"].mac == "00:16:3e:00:00:06"
    assert "gate" in hosts
    assert hosts["a"].aliases == ("www",)
    assert [each.partition(": ")[0] for each in told(facts)] == ["hosts:6", "ethers:3"]


MACHINES = """\
# TYPE HOSTNAME MAXL INST OS MW
PH ph1 10
PH ph2 4.5
VM ce  1 sl4 ig_CE
VM se  0 - -
VM lost 0 - -
nonsense
"""
DOMAIN = """\
<domain type='kvm'>
  <name>se</name><memory unit='MiB'>3072</memory><vcpu>2</vcpu>
  <devices>
    <disk type='file' device='cdrom'><target dev='sdb'/></disk>
    <disk type='block' device='disk'><source dev='/dev/drbd3'/><target dev='vda'/></disk>
    <interface type='bridge'><mac address='02:00:00:00:00:04'/><source bridge='br1'/></interface>
    <interface type='bridge'><mac address='02:00:00:00:00:44'/><source bridge='br2'/></interface>
  </devices>
</domain>
"""
RESOURCE = """\
resource se {
  protocol C;
  device /dev/drbd3;
  meta-disk internal;
  net { shared-secret "very"; max-buffers 8000; }
  on ph1 { disk /dev/vg0/se; address 192.168.1.1:7790; }
  on ph2 { disk /dev/vg1/se; address 192.168.1.2:7790; }
}
"""
BOOT = """\
default linux
label linux
kernel sl4/vmlinuz
append initrd=sl4/initrd.img ks=http://192.0.2.7/sl4.ks method=http://192.0.2.7/sl4
"""


SUBNET = """\
subnet 192.168.1.0 netmask 255.255.255.0 { filename "pxelinux.0"; next-server 192.168.1.1; }
host ce { hardware ethernet 02:00:00:00:00:03; fixed-address 192.168.1.3; }
"""


def machines(folder: Path) -> Sources:
    paths = written(
        folder,
        hosts="".join(
            f"192.168.1.{n} {name}.example.org\n"
            for n, name in enumerate(["ph1", "ph2", "ce", "se"], 1)
        ),
        hosts__def=MACHINES,
        dhcpd__conf=SUBNET,
        se__xml=DOMAIN,
        se__res=RESOURCE,
    )
    written(folder / "vm", ce="ph2 2008-12-14/10:00:00 0\n", empty="")
    written(folder / "pxelinux.cfg", sl4=BOOT)
    return Sources(
        dhcpd=[paths["dhcpd__conf"]],
        hosts=paths["hosts"],
        hosts_def=paths["hosts__def"],
        libvirt=[paths["se__xml"]],
        drbd=[paths["se__res"]],
        pxelinux=folder / "pxelinux.cfg",
    )


def test_machines(tmp_path: Path) -> None:
    facts, site, compared = imported(machines(tmp_path), tmp_path / "site")
    assert [each.what for each in compared.differences] == ["VM lost is not the same in hosts.def"]
    built = check(site).site
    assert built.physical_hosts["ph2"].maxl == 4.5
    ce, se = built.virtual_machines["ce"], built.virtual_machines["se"]
    assert (ce.home, ce.inst, ce.os, ce.middleware) == ("ph2", 1, "sl4", "ig_CE")
    assert (se.home, se.cpus, se.memory, se.volume) == ("ph1", 2, 3 << 30, "se")
    assert (se.bridge, se.device, se.mac) == ("br1", "vda", "02:00:00:00:00:04")
    assert compared.same["machine", "of libvirt: CPUs, memory, bridge and disk"] == 1
    volume = built.volumes["se"]
    assert (volume.peers, volume.minor, volume.port) == (("ph1", "ph2"), 3, 7790)
    assert volume.disk == {"ph1": "/dev/vg0/se", "ph2": "/dev/vg1/se"}
    assert built.os_profiles["sl4"].repository == "http://192.0.2.7/sl4"
    reasons = told(facts)
    assert "hosts.def:7: no line of hosts.def" in reasons
    assert "empty:1: a state file that says nothing" in reasons
    assert any("02:00:00:00:00:44" in each for each in reasons)
    assert any("how large volume se is" in each for each in reasons)
    assert "very" not in site.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("memory: 3GiB", "memory: 4GiB", "se has 4194304 KiB of memory instead of 3145728"),
        ("cpus: 2", "cpus: 3", "se has 3 CPUs instead of 2"),
        ("bridge: br1", "bridge: br7", "se has br7 as its bridge instead of br1"),
        ("volume: se", "image: /dev/x", "se has /dev/x as its disk instead of se"),
    ],
)
def test_a_machine_that_libvirt_is_to_know_otherwise(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    facts, site, _ = imported(machines(tmp_path), tmp_path / "site")
    text = site.read_text(encoding="utf-8")
    assert text.count(old) == 1
    site.write_text(text.replace(old, new), encoding="utf-8")
    changes = {each.what: each.place for each in run.verify(facts, site, TODAY).differences}
    assert said in changes
    place = changes[said]
    assert place is not None
    assert place.file.endswith("se.xml")


def test_xml_without_end(tmp_path: Path) -> None:
    """Entities that multiply, and what is no XML."""
    bomb = '<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><domain><name>&b;</name></domain>'
    paths = written(tmp_path, bomb__xml=bomb, open__xml="<domain>", other__xml="<network/>")
    for path in paths.values():
        with pytest.raises(ThreeRcError, match=str(path)):
            libvirt.read(path, Facts())


@pytest.mark.parametrize(
    ("text", "boot"),
    [
        ("default a\nlabel a\nlocalboot 0\n", Boot("local")),
        ("DEFAULT a\nLABEL A\n  LOCALBOOT -1\n", Boot("local")),
        ("default d\nlabel d\nkernel chain.c32\nappend hd1\n", Boot("disk", "2")),
        ("default d\nlabel d\nkernel chain.c32\nappend hd0 0\n", Boot("disk", "1")),
        ("default d\nlabel d\ncom32 chain.c32\nappend hd1,1\n", Boot("disk", "2")),
        ("label d\nkernel k/memdisk\nappend initrd=grub/grub-disk-hd2.img\n", Boot("disk", "2")),
        ("default k x=1 initrd=i\n", Boot("kernel", "k", "i", ("x=1",))),
        ("default a\nappend q\nlabel a\nlinux k\ninitrd i\n", Boot("kernel", "k", "i", ("q",))),
        (
            "default menu.c32\nontimeout b\nlabel b\nkernel k\nappend initrd=i y\n",
            Boot("kernel", "k", "i", ("y",)),
        ),
        (
            "default vesamenu.c32\nlabel a\nlocalboot 0\nlabel b\nmenu default\nkernel k\n",
            Boot("kernel", "k"),
        ),
        (
            "default menu.c32\nlabel a\nlocalboot 0\n",
            Boot("other", "a menu that waits for a person"),
        ),
        ("default x\nlabel x\nkernel memtest.c32\n", Boot("other", "memtest.c32")),
    ],
)
def test_what_a_boot_file_does(text: str, boot: Boot, tmp_path: Path) -> None:
    facts = Facts()
    (tmp_path / "default").write_text(text, encoding="utf-8")
    pxelinux.read(tmp_path, facts)
    assert facts.boot_files["default"].boot == boot
    assert bool(facts.lost) == (boot.kind == "other")


@pytest.mark.parametrize(
    ("text", "mac"),
    [
        ("00:16:3E:0a:0B:0c", "00:16:3e:0a:0b:0c"),
        ("0:16:3e:a:b:c", "00:16:3e:0a:0b:0c"),
        ("00-16-3e-0a-0b-0c", "00:16:3e:0a:0b:0c"),
        ("0016.3e0a.0b0c", "00:16:3e:0a:0b:0c"),
        ("00:16-3e:0a:0b:0c", None),
        ("00:16:3e:0a:0b", None),
    ],
)
def test_how_people_spell_a_mac(text: str, mac: str | None) -> None:
    assert mac_of(text) == mac
