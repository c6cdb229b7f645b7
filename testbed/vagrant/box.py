"""A Vagrant box: a disk with the testbed's Debian and the services of a site on it.

It is made once for a provider, as images are, and kept in the same cache. Its root lets in the key
that Vagrant has for every new machine; the first thing that such a machine gets is other keys.
Source: https://developer.hashicorp.com/vagrant/docs/boxes/format,
https://vagrant-libvirt.github.io/vagrant-libvirt/boxes.html, OVF 1.0 (DMTF DSP0243).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from threerc.testbed.images.archive import BUILT
from threerc.testbed.images.cache import Build, Cache
from threerc.testbed.images.debian import DEBIAN, Debian
from threerc.testbed.images.packages import ImageError
from threerc.testbed.process import FOLDERS
from threerc.testbed.vagrant.services import ALL

Provider = Literal["libvirt", "virtualbox"]
_HERE: Final = Path(__file__).parent
_PROGRAMS: Final = {
    "unshare": "util-linux",
    "sfdisk": "fdisk",
    "mke2fs": "e2fsprogs",
    "qemu-img": "qemu-utils",
}
_DISK: Final = 8
"""GiB, which a machine uses as it needs them; box.sh has the same."""
_SERVICES: Final = (
    *("isc-dhcp-server", "kea-dhcp4-server", "bind9", "tftpd-hpa", "gmetad"),
    *("nfs-kernel-server", "radvd"),
    *("libvirt-daemon-system", "libvirt-clients", "qemu-system-x86", "qemu-utils"),
    *("bridge-utils", "extlinux", "syslinux-common"),
)
# Vagrant's own, whose private half is everybody's: keys/vagrant.pub of its sources.
_INSECURE_KEY: Final = (
    "ssh-rsa AAAAB3NzaC1yc2EAAAABIwAAAQEA6NF8iallvQVp22WDkTkyrtvp9eWW6A8YVr+kz4TjGYe7gHzIw+niNl"
    "tGEFHzD8+v1I2YJ6oXevct1YeS0o9HZyN1Q9qgCgzUFtdOKLv6IedplqoPkcmF0aYet2PkEDo3MlTBckFXPITAMzF8"
    "dJSIFo9D8HfdOV0IAdx4O7PtixWKn5y2hMNG0zQPyUecp4pzC6kivAIhyfHilFR61RGL+GPXQ2MWZWFYbAGjyiYJnA"
    "mCP3NOTd0jMZEnDkbUvxhMmBYSdETk1rRgm+R4LOzFUGaHqHDLKLX+FIPKcF96hrucXzcWyLbIbEgE98OHlnVYCzRd"
    "K8jlqm8tehUc9c9WhQ== vagrant insecure public key\n"
)
_INTERFACES: Final = """\
auto lo
iface lo inet loopback

# The card that Vagrant has put into every machine, to talk to it.
allow-hotplug eth0
iface eth0 inet dhcp

source /etc/network/interfaces.d/*
"""
# Nothing but an address is taken from there: the site says all else.
_DHCLIENT: Final = "make_resolv_conf() { :; }\nunset new_routers new_host_name\n"
_SSHD: Final = """\
[Service]
ExecStartPre=
ExecStartPre=/usr/bin/ssh-keygen -A
ExecStartPre=/usr/sbin/sshd -t
"""
_FILES: Final[Mapping[str, str]] = {
    "root/.ssh/authorized_keys": _INSECURE_KEY,
    "etc/network/interfaces": _INTERFACES,
    "etc/dhcp/dhclient-enter-hooks.d/3rc": _DHCLIENT,
    "etc/systemd/system/ssh.service.d/3rc.conf": _SSHD,
    "usr/local/share/3rc/services": "".join(f"{name}\n" for name in ALL),
}
_OVF: Final = """\
<?xml version="1.0" encoding="UTF-8"?>
<Envelope ovf:version="1.0" xml:lang="en-US" xmlns="http://schemas.dmtf.org/ovf/envelope/1"
    xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
    xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
    xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData">
  <References>
    <File ovf:id="file1" ovf:href="box-disk1.vmdk"/>
  </References>
  <DiskSection>
    <Info>List of the virtual disks</Info>
    <Disk ovf:capacity="{capacity}" ovf:diskId="disk1" ovf:fileRef="file1"
      ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/>
  </DiskSection>
  <NetworkSection>
    <Info>Logical networks</Info>
    <Network ovf:name="NAT"/>
  </NetworkSection>
  <VirtualSystem ovf:id="3rc">
    <Info>A virtual machine</Info>
    <OperatingSystemSection ovf:id="96">
      <Info>The kind of installed operating system</Info>
      <Description>Debian_64</Description>
    </OperatingSystemSection>
    <VirtualHardwareSection>
      <Info>Virtual hardware requirements</Info>
      <System>
        <vssd:ElementName>Virtual Hardware Family</vssd:ElementName>
        <vssd:InstanceID>0</vssd:InstanceID>
        <vssd:VirtualSystemIdentifier>3rc</vssd:VirtualSystemIdentifier>
        <vssd:VirtualSystemType>virtualbox-2.2</vssd:VirtualSystemType>
      </System>
      <Item>
        <rasd:ElementName>1 virtual CPU</rasd:ElementName>
        <rasd:InstanceID>1</rasd:InstanceID>
        <rasd:ResourceType>3</rasd:ResourceType>
        <rasd:VirtualQuantity>1</rasd:VirtualQuantity>
      </Item>
      <Item>
        <rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits>
        <rasd:ElementName>512 MB of memory</rasd:ElementName>
        <rasd:InstanceID>2</rasd:InstanceID>
        <rasd:ResourceType>4</rasd:ResourceType>
        <rasd:VirtualQuantity>512</rasd:VirtualQuantity>
      </Item>
      <Item>
        <rasd:Address>0</rasd:Address>
        <rasd:ElementName>sataController0</rasd:ElementName>
        <rasd:InstanceID>3</rasd:InstanceID>
        <rasd:ResourceSubType>AHCI</rasd:ResourceSubType>
        <rasd:ResourceType>20</rasd:ResourceType>
      </Item>
      <Item>
        <rasd:AddressOnParent>0</rasd:AddressOnParent>
        <rasd:ElementName>disk1</rasd:ElementName>
        <rasd:HostResource>/disk/disk1</rasd:HostResource>
        <rasd:InstanceID>4</rasd:InstanceID>
        <rasd:Parent>3</rasd:Parent>
        <rasd:ResourceType>17</rasd:ResourceType>
      </Item>
      <Item>
        <rasd:AutomaticAllocation>true</rasd:AutomaticAllocation>
        <rasd:Connection>NAT</rasd:Connection>
        <rasd:ElementName>Ethernet adapter on NAT</rasd:ElementName>
        <rasd:InstanceID>5</rasd:InstanceID>
        <rasd:ResourceSubType>E1000</rasd:ResourceSubType>
        <rasd:ResourceType>10</rasd:ResourceType>
      </Item>
    </VirtualHardwareSection>
  </VirtualSystem>
</Envelope>
"""


@dataclass(frozen=True, slots=True)
class BoxFile:
    """A box that was made for a provider. Its name without the ending is new with its contents."""

    provider: Provider
    path: Path


@dataclass(frozen=True, slots=True)
class Box:
    """How a provider's box is made from packages. Its contents are the same each time, not its
    bytes: a file system knows when it was made.
    """

    provider: Provider

    @property
    def name(self) -> str:
        """It says of which version of this folder's own recipe it is, too."""
        sources = (Path(__file__), _HERE / "box.sh", _HERE / "services.py")
        total = hashlib.sha256(b"".join(each.read_bytes() for each in sources))
        return f"vagrant-{self.provider}-{total.hexdigest()[:8]}"

    @property
    def packages(self) -> tuple[str, ...]:
        """Those of the image `debian`, and of all services that a host may have."""
        return (*DEBIAN.packages, *_SERVICES)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The ending of a box."""
        return ("box",)

    def make(self, build: Build, outputs: tuple[Path, ...]) -> None:
        """Write the box. Raises ImageError; needs root."""
        _check_programs()
        image = build.work / "image.tar.gz"
        Debian(packages=self.packages).make(build, (image,))
        build.say("making a disk that boots of it")
        files = build.work / "files"
        for path, text in _FILES.items():
            (files / path).parent.mkdir(parents=True, exist_ok=True)
            (files / path).write_text(text, encoding="utf-8")
        disk = build.work / "disk.raw"
        apart = ("unshare", "--mount", "--propagation", "private", "bash")
        _run([*apart, str(_HERE / "box.sh"), str(image), str(disk), str(files)])
        image.unlink()
        build.say("packing the box")
        pack = _pack_libvirt if self.provider == "libvirt" else _pack_virtualbox
        _tar(pack(disk, build.work / "box"), outputs[0])


def get_box(provider: Provider, cache: Path, say: Callable[[str], None]) -> BoxFile:
    """Take a provider's box from the cache, or make it. Raises ImageError."""
    (made,) = Cache(cache, say).get(Box(provider))
    return BoxFile(provider, made)


def _pack_libvirt(disk: Path, folder: Path) -> Path:
    folder.mkdir()
    packed = ("-c", "-O", "qcow2", "-o", "compression_type=zstd")
    _run(["qemu-img", "convert", *packed, str(disk), str(folder / "box.img")])
    _write_metadata(folder, provider="libvirt", format="qcow2", virtual_size=_DISK)
    return folder


def _pack_virtualbox(disk: Path, folder: Path) -> Path:
    folder.mkdir()
    packed = ("-O", "vmdk", "-o", "subformat=streamOptimized")
    _run(["qemu-img", "convert", *packed, str(disk), str(folder / "box-disk1.vmdk")])
    (folder / "box.ovf").write_text(_OVF.format(capacity=_DISK * 2**30), encoding="utf-8")
    _write_metadata(folder, provider="virtualbox")
    return folder


def _write_metadata(folder: Path, **metadata: str | int) -> None:
    (folder / "metadata.json").write_text(f"{json.dumps(metadata)}\n", encoding="utf-8")


def _tar(folder: Path, box: Path) -> None:
    """What is big is packed already."""
    with tarfile.open(box, "w", format=tarfile.GNU_FORMAT) as archive:
        for file in sorted(folder.iterdir()):
            info = archive.gettarinfo(file, file.name)
            info.uid, info.gid, info.uname, info.gname, info.mtime = 0, 0, "root", "root", BUILT
            with file.open("rb") as content:
                archive.addfile(info, content)


def _check_programs() -> None:
    """Before what takes minutes."""
    for name, package in _PROGRAMS.items():
        if shutil.which(name, path=FOLDERS) is None:
            raise ImageError(f"{name} not found (Debian: {package})")


def _run(command: list[str]) -> None:
    environment = os.environ | {"PATH": FOLDERS, "LC_ALL": "C"}
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()[-2000:]
        raise ImageError(f"{command[0]} failed: {said}")
