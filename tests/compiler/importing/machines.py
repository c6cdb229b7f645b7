"""What a production site has besides dhcpd.conf and zones: of the same hosts, at full size."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.compiler.importing.production import DOMAIN, Host, Production
from threerc.compiler.importing.run import Sources

_VOLUMES = 30
"""So many virtual machines have a mirrored disk."""
_PROFILE = "sl6-x86_64"
_DOMAIN = """\
<!-- virsh dumpxml, with what libvirt adds -->
<domain type='kvm' id='{number}'>
  <name>{name}</name><uuid>4dea22b3-1d52-d8f3-2516-{number:012d}</uuid>
  <memory unit='KiB'>{memory}</memory><currentMemory unit='KiB'>1048576</currentMemory>
  <vcpu placement='static'>{cpus}</vcpu>
  <os><type arch='x86_64' machine='pc-i440fx-2.8'>hvm</type><boot dev='hd'/></os>
  <devices>
    <disk type='block' device='disk'><source dev='{disk}'/><target dev='vda' bus='virtio'/></disk>
    <interface type='bridge'><mac address='{mac}'/><source bridge='br{bridge}'/></interface>
  </devices>
</domain>
"""
_RESOURCE = """\
# {name}: ask Paolo before you touch it
resource {name} {{
  protocol C;
  device /dev/drbd{minor};
  meta-disk internal;
  on {one.name} {{ disk /dev/vg0/{name}; address {one.address}:{port}; }}
  on {two.name} {{ disk /dev/vg0/{name}; address {two.address}:{port}; }}
}}
"""
_CLASSES = """\
class "phones" { match if substring(option vendor-class-identifier, 0, 4) = "Cisc"; }
subclass "phones" 1:00:11:22:33:44:55;
if exists agent.circuit-id { log(info, "relayed"); }
key omapi { algorithm hmac-md5; secret "c2VjcmV0"; }
option {{ site }}-code code 200 = text;
"""
_POOL = "  pool { range"


@dataclass
class Machines:
    """The files of a production site in a folder, with those of its machines beside them."""

    production: Production
    sources: Sources
    folder: Path

    def all(self) -> Sources:
        """All files but Kea's, with what dhcpd.conf may have and site.yaml has not."""
        dhcpd = self.folder / "dhcpd.conf"
        text = dhcpd.read_text(encoding="utf-8").replace("# servers\n", _CLASSES, 1)
        text = text.replace(_POOL, _POOL.replace("range", 'allow members of "phones"; range'), 1)
        vms, phs = self.production.of("server")[3:], self.production.of("node")[:8]
        named = [(vm.name, phs[n % 8].name) for n, vm in enumerate(vms)]
        hosts_def = [f"PH {ph.name} {8 + n % 3}" for n, ph in enumerate(phs)]
        hosts_def += [f"VM {vm.name}\t{n % 2} {_PROFILE} -" for n, vm in enumerate(vms)]
        for vm, ph in named:
            self._write(f"vm/{vm}", f"{ph} 2009-01-01/00:00:00 0\n")
        return replace(
            self.sources,
            dhcpd=[self._write("dhcpd.conf", text)],
            hosts_def=self._lines("hosts.def", ["# TYPE HOSTNAME MAXL INST OS MW", *hosts_def]),
            hosts=self._lines("hosts", ["127.0.0.1 localhost", *map(_known, self._hosts())]),
            ethers=self._lines("ethers", map(_ether, range(len(self._hosts())), self._hosts())),
            libvirt=[self._domain(number, vm) for number, vm in enumerate(vms)],
            drbd=[self._resource(n, vm.name, phs) for n, vm in enumerate(vms[:_VOLUMES])],
        )

    def kea(self) -> Sources:
        """Kea's JSON in the place of dhcpd.conf."""
        farm = _subnet("10.20.0.0/22", "10.20.3.254", self.production.of("node"))
        farm |= {"next-server": "10.20.3.250", "boot-file-name": "pxelinux.0"}
        desks = _subnet("192.168.7.0/24", "192.168.7.254", self.production.of("desk"))
        desks |= {"valid-lifetime": 3600, "pools": [{"pool": "192.168.7.200 - 192.168.7.250"}]}
        servers = _subnet("192.168.5.0/24", "192.168.5.254", self.production.of("server"))
        names = {"name": "domain-name-servers", "data": "192.168.5.10, 192.168.5.11"}
        server = {
            "lease-database": {"type": "memfile"},
            "authoritative": True,
            "valid-lifetime": 21600,
            "option-data": [{"name": "domain-name", "data": DOMAIN}, names],
            "shared-networks": [{"name": "cluster", "subnet4": [farm]}],
            "subnet4": [servers, desks],
        }
        text = f"// Kea of physics\n{json.dumps({'Dhcp4': server}, indent=1)} # end\n"
        return replace(self.sources, dhcpd=[], kea=[self._write("kea.json", text)])

    def _hosts(self) -> list[Host]:
        return self.production.hosts

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def _lines(self, name: str, lines: Iterable[str]) -> Path:
        return self._write(name, "".join(f"{line}\n" for line in lines))

    def _domain(self, number: int, vm: Host) -> Path:
        disk = f"/dev/drbd{number}" if number < _VOLUMES else f"/srv/vm/{vm.name}.img"
        cpus = number % 4 + 1
        about = {"name": vm.name, "number": number, "memory": cpus << 20, "cpus": cpus}
        about |= {"disk": disk, "mac": vm.mac.upper(), "bridge": number % 2}
        return self._write(f"{vm.name}.xml", _DOMAIN.format(**about))

    def _resource(self, number: int, name: str, phs: list[Host]) -> Path:
        one, two = phs[number % 8], phs[(number + 1) % 8]
        about = {"name": name, "minor": number, "port": 7788 + number, "one": one, "two": two}
        return self._write(f"{name}.res", _RESOURCE.format(**about))


def _known(host: Host) -> str:
    return f"{host.address}\t{host.name}.{DOMAIN} {host.name.upper()} # {host.remark}"


def _ether(number: int, host: Host) -> str:
    return f"{host.mac}\t{host.name if number % 2 else host.address}"


def _subnet(prefix: str, gateway: str, hosts: Iterable[Host]) -> dict[str, Any]:
    reservations = [
        {"hw-address": each.mac, "ip-address": each.address, "hostname": each.name}
        for each in hosts
    ]
    routers = [{"name": "routers", "data": gateway}]
    return {"subnet": prefix, "option-data": routers, "reservations": reservations}
